use std::process::ExitCode;

fn main() -> ExitCode {
    arctic::cli::main(std::env::args_os())
}
