//! Lines that are written at once: a batch of deliveries is a line each, and a write each would cost
//! more than the lines themselves.

use std::{
    cell::RefCell,
    io::Write,
    sync::{Arc, Mutex, PoisonError},
};

/// The lines are written out when they come to so many bytes, and go on after that.
const MOST: usize = 64 * 1024;

thread_local! {
    static HELD: RefCell<Option<Held>> = const { RefCell::new(None) };
}

/// Lines that wait, and where they go once there is one.
#[derive(Default)]
struct Held {
    text: String,
    out: Option<Arc<Mutex<dyn Write + Send>>>,
}

impl Held {
    fn write(&mut self) {
        if let Some(out) = &self.out {
            put(out, &self.text);
        }
        self.text.clear();
    }
}

/// Writes what waits, though `work` panicked.
struct End;

impl Drop for End {
    fn drop(&mut self) {
        if let Some(mut held) = HELD.take() {
            held.write();
        }
    }
}

/// What `work` logs on this thread is written when it ends; it must not wait for anything.
pub fn tell<T>(work: impl FnOnce() -> T) -> T {
    HELD.set(Some(Held::default()));
    let _end = End;
    work()
}

/// Writes a line, or keeps it for the others that are told with it.
pub(super) fn write<W: Write + Send + 'static>(out: &Arc<Mutex<W>>, line: &str) {
    HELD.with_borrow_mut(|held| match held {
        Some(held) => {
            held.text.push_str(line);
            held.out.get_or_insert_with(|| Arc::clone(out) as _);
            if held.text.len() >= MOST {
                held.write();
            }
        }
        None => put(out, line),
    });
}

fn put<W: Write + ?Sized>(out: &Mutex<W>, text: &str) {
    let mut out = out.lock().unwrap_or_else(PoisonError::into_inner);
    // Nobody is left to be told that the log cannot be written.
    let _ = out.write_all(text.as_bytes());
}
