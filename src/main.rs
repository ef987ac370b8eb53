//! The binary: one command, then an exit code that tells the truth.

use mimalloc::MiMalloc;
use shiftbell::{cli, lifecycle::Exit};

/// At nine o'clock threads allocate for each other, and with the C library's allocator wait for each other.
/// `benches/README.md` shows what it gives and what it keeps.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> Exit {
    cli::main()
}
