//! Whole-network scenarios: what a requester sees, through the builder that `iexec up` uses.
//!
//! One binary for all of them: each extra one is a whole link.

mod happy;

/// Each scenario as a test of its own, for one engine.
macro_rules! scenarios {
    ($engine:ident, $choice:ident: $($module:ident::$name:ident,)*) => {
        mod $engine {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    let test = concat!(stringify!($engine), "::", stringify!($name));
                    let choice = engine::Choice::$choice;
                    iexec_tests::bench::play(test, choice, crate::$module::$name).await;
                }
            )*
        }
    };
}

macro_rules! both {
    ($($list:tt)*) => {
        scenarios!(docker, Docker: $($list)*);
        scenarios!(builtin, Builtin: $($list)*);
    };
}

both! {
    happy::one_task,
}
