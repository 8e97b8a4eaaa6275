//! Code of others that may panic on what a file holds: the panic becomes an error, without a word on standard error.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    /// Whether panics of this thread are expected.
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

static HOOK: Once = Once::new();

/// Does some work, and gives back what a panic said if there was one. In a program that aborts when it panics, this cannot
/// help, so what is known to panic has to be found before.
pub(crate) fn quietly<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    // The hook that was there goes on to speak for all other code.
    HOOK.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |info| {
            if !QUIET.get() {
                before(info);
            }
        }));
    });
    let outer = QUIET.replace(true);
    let outcome = catch_unwind(AssertUnwindSafe(work));
    QUIET.set(outer);
    outcome.map_err(|panic| message(&*panic))
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| text.to_string())).unwrap_or_else(|| "no message".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In a process of its own, whose standard error can be seen.
    const INNER: &str = "CONVNET_TEST_QUIETLY";

    #[test]
    fn a_panic_is_an_error_and_says_nothing() {
        if std::env::var_os(INNER).is_some() {
            assert_eq!(quietly(|| 7), Ok(7));
            assert_eq!(quietly(|| -> u8 { panic!("quiet {}", 1) }), Err("quiet 1".into()));
            assert_eq!(quietly(|| -> u8 { panic!("quiet") }), Err("quiet".into()));
            // Other panics are said as ever.
            assert!(catch_unwind(|| panic!("loud")).is_err());
            return;
        }
        let test = std::env::current_exe().unwrap();
        let name = "quietly::tests::a_panic_is_an_error_and_says_nothing";
        let output = std::process::Command::new(test)
            .args(["--exact", name, "--nocapture"])
            .env(INNER, "1")
            .env("RUST_BACKTRACE", "1")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        assert!(said.contains("loud") && !said.contains("quiet 1"), "{said}");
    }
}
