#include "cunistring.h"

#include <stdlib.h>
#include <unicase.h>
#include <uninorm.h>

static int64_t normalize(uninorm_t form, const uint8_t *bytes, size_t count, uint8_t *out, size_t capacity) {
    size_t length = capacity;
    uint8_t *result = u8_normalize(form, bytes, count, out, &length);
    if (result == NULL) return -1;
    if (result != out) {
        // The result did not fit, so the library allocated its own buffer.
        free(result);
        return -1;
    }
    return (int64_t)length;
}

int64_t cunistring_nfc(const uint8_t *bytes, size_t count, uint8_t *out, size_t capacity) {
    return normalize(UNINORM_NFC, bytes, count, out, capacity);
}

int64_t cunistring_nfkc(const uint8_t *bytes, size_t count, uint8_t *out, size_t capacity) {
    return normalize(UNINORM_NFKC, bytes, count, out, capacity);
}

size_t cunistring_casemap(uint32_t scalar, uint32_t *out) {
    // A stack of characters to decompose. The longest decomposition in Unicode has 18 characters.
    uint32_t waiting[cunistring_casemap_maximum];
    size_t count = 1;
    size_t written = 0;
    waiting[0] = uc_totitle(scalar);
    while (count > 0 && written < cunistring_casemap_maximum) {
        uint32_t next = waiting[--count];
        ucs4_t parts[UC_DECOMPOSITION_MAX_LENGTH];
        int tag;
        int length = uc_decomposition(next, &tag, parts);
        if (length <= 0 || count + (size_t)length > cunistring_casemap_maximum) {
            out[written++] = next;
            continue;
        }
        while (length > 0) waiting[count++] = parts[--length];
    }
    return written;
}
