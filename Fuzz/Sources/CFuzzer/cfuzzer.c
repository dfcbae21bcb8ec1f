#include "cfuzzer.h"

#include <stddef.h>
#include <stdint.h>

// libFuzzer brings a `main`, but the package manager links an executable with the entry of its Swift module. So that
// entry calls what libFuzzer's `main` would have called.
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerRunDriver(int *argc, char ***argv, int (*test_one_input)(const uint8_t *data, size_t size));

int cfuzzer_run(int argc, char **argv) {
    return LLVMFuzzerRunDriver(&argc, &argv, LLVMFuzzerTestOneInput);
}
