// The libunistring functions used by rmail, without exposing libunistring's integer types.
#ifndef CUNISTRING_H
#define CUNISTRING_H

#include <stddef.h>
#include <stdint.h>

/// Normalizes UTF-8 to NFC. Returns the number of bytes written, or -1 if the input is not UTF-8 or the output does not
/// fit.
int64_t cunistring_nfc(const uint8_t *bytes, size_t count, uint8_t *out, size_t capacity);

/// As cunistring_nfc, with Normalization Form KC.
int64_t cunistring_nfkc(const uint8_t *bytes, size_t count, uint8_t *out, size_t capacity);

/// Writes the fully decomposed titlecase form of a character, which i;unicode-casemap (RFC 5051) compares. Returns the
/// number of characters written to `out`, which must have room for `cunistring_casemap_maximum`.
size_t cunistring_casemap(uint32_t scalar, uint32_t *out);

enum { cunistring_casemap_maximum = 64 };

#endif
