// The functions of libunistring that are needed here, without libunistring's own integer types in sight.
#ifndef CUNISTRING_H
#define CUNISTRING_H

#include <stddef.h>
#include <stdint.h>

/// Unicode's Normalization Form C of UTF-8 bytes: the count of bytes written, -1 when they do not fit or are no UTF-8.
int64_t cunistring_nfc(const uint8_t *bytes, size_t count, uint8_t *out, size_t capacity);

/// The character's titlecase form, decomposed until nothing is left to decompose: what i;unicode-casemap (RFC 5051)
/// compares. The count of characters written to `out`, which has room for `cunistring_casemap_maximum`.
size_t cunistring_casemap(uint32_t scalar, uint32_t *out);

enum { cunistring_casemap_maximum = 64 };

#endif
