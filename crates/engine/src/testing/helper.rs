//! The built-in engine's helper inside any test binary.

use std::ffi::OsString;

/// The command to give to [`Builtin::new`](crate::Builtin::new): the running test binary, which
/// becomes the helper when called so.
#[must_use]
pub fn helper() -> Vec<OsString> {
    vec!["/proc/self/exe".into(), crate::HELPER_SUBCOMMAND.into()]
}

/// Has `$become` run before `main` of any program that this is linked into: it may make the program
/// something else and end it. `$name` is a function; calling it makes sure that this is linked.
#[macro_export]
macro_rules! before_main {
    ($name:ident, $become:path) => {
        #[doc = "Called by whoever needs what is run before `main`; does nothing else."]
        pub fn $name() {
            #[used]
            // SAFETY: the section is an array of C functions without arguments that matter to us,
            // called once by the loader on the only thread; std reads its arguments earlier.
            #[unsafe(link_section = ".init_array")]
            static BEFORE_MAIN: extern "C" fn() = run;
            extern "C" fn run() {
                $become()
            }
        }
    };
}

/// Runs before `main`, because a test binary's `main` is not ours and starts threads at once.
#[used]
#[expect(unsafe_code, reason = "the only way to run before a test harness")]
// SAFETY: the section is an array of C functions without arguments that matter to us, called
// once by the loader on the only thread; std reads its arguments from an earlier entry.
#[unsafe(link_section = ".init_array")]
static BEFORE_MAIN: extern "C" fn() = become_helper;

extern "C" fn become_helper() {
    let mut args = std::env::args_os().skip(1);
    if args
        .next()
        .is_some_and(|first| first == crate::HELPER_SUBCOMMAND)
    {
        let code = args
            .next()
            .map_or(2, |dir| crate::run_bundle_main(dir.as_ref()));
        std::process::exit(code);
    }
}
