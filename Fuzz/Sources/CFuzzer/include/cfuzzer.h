#ifndef CFUZZER_H
#define CFUZZER_H

/// Runs libFuzzer with a program's arguments on the program's `LLVMFuzzerTestOneInput`; the exit status.
int cfuzzer_run(int argc, char **argv);

#endif
