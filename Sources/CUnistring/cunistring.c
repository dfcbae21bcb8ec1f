#include "cunistring.h"

#include <stdlib.h>
#include <uninorm.h>

int64_t cunistring_nfc(const uint8_t *bytes, size_t count, uint8_t *out, size_t capacity) {
    size_t length = capacity;
    uint8_t *result = u8_normalize(UNINORM_NFC, bytes, count, out, &length);
    if (result == NULL) return -1;
    if (result != out) {
        // It did not fit, so that the library made room of its own.
        free(result);
        return -1;
    }
    return (int64_t)length;
}
