import CFuzzer
import Glibc

@main enum Main {
    static func main() { exit(cfuzzer_run(CommandLine.argc, CommandLine.unsafeArgv)) }
}
