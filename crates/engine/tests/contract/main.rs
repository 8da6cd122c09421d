//! One contract, two engines: every function here runs against both, and the core of it against
//! Podman too.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may fail so"
)]

mod cache;
mod canary;
mod cleanup;
mod daemon;
mod hostile;
mod image;
mod killed;
mod limit;
mod loopback;
mod network;
mod nobody;
mod platform;
mod private;
mod run;
mod seccomp;
mod secret;
mod with_secret;
mod world;

use world::World;

/// Each function of the contract as a test of its own, for one engine.
macro_rules! contract {
    ($engine:ident: $($module:ident::$name:ident,)*) => {
        mod $engine {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    let test = concat!(stringify!($engine), "::", stringify!($name));
                    if let Some(world) = crate::World::$engine(test).await {
                        crate::$module::$name(&world).await;
                    }
                }
            )*
        }
    };
}

macro_rules! both {
    ($($list:tt)*) => {
        contract!(docker: $($list)*);
        contract!(builtin: $($list)*);
    };
}

// As somebody who is not root, where that makes a difference.
contract! {
    rootless:
    run::exit_code_is_the_programs,
    run::a_signal_gives_128_plus_its_number,
    run::stdout_and_stderr_are_told_apart_and_live,
    run::args_replace_cmd_and_keep_entrypoint,
    run::environment_is_the_images_and_ours_and_nothing_else,
    run::binds_show_what_they_should_and_no_more,
    run::a_missing_executable_is_a_clear_error,
    run::nothing_written_survives_into_the_next_run,
    run::runs_of_one_image_do_not_meet,
    limit::file_size,
    limit::deadline,
    limit::cancel,
    limit::privileges_are_few_and_cannot_grow,
    limit::network_none_has_only_loopback,
    image::later_layers_win,
    image::pull_by_digest_from_a_registry,
    cleanup::kill_ends_a_run,
    cleanup::a_dropped_run_leaves_nothing,
    cleanup::sweep_takes_the_prefix_only,
    limit::processes,
    hostile::disk_filler_in_the_output,
    hostile::too_many_files,
    hostile::folders_without_end,
    seccomp::what_opens_the_walls_is_refused,
    seccomp::ordinary_programs_run,
    nobody::fork_bomb,
    nobody::memory_hog,
    nobody::the_images_user_is_the_only_one,
    nobody::what_it_writes_is_the_workers,
    nobody::layers_of_many_owners_are_unpacked,
    nobody::a_network_is_none_or_refused,
    nobody::a_closed_process_runs_containers,
    secret::the_program_sees_its_secrets,
    secret::nothing_else_is_different,
    secret::what_cannot_start_is_named,
    secret::codes_of_a_failed_start_are_the_programs_too,
    secret::nobody_outside_sees_a_secret,
    loopback::a_loopback_is_the_programs_alone,
    loopback::loopbacks_at_one_port_do_not_meet,
    loopback::a_loopback_leaves_nothing_open,
    loopback::a_loopback_is_there_before_the_program,
    loopback::a_loopback_that_nobody_waits_for_does_not_start,
    loopback::a_run_that_ends_does_not_wait_for_its_loopback,
    loopback::what_cannot_start_with_a_loopback_is_named,
}

both! {
    run::exit_code_is_the_programs,
    run::a_signal_gives_128_plus_its_number,
    run::stdout_and_stderr_are_told_apart_and_live,
    run::logs_are_complete_when_the_run_returns,
    run::args_replace_cmd_and_keep_entrypoint,
    run::environment_is_the_images_and_ours_and_nothing_else,
    run::working_directory_and_user_are_the_images,
    run::binds_show_what_they_should_and_no_more,
    run::a_bind_behind_a_link_stays_inside,
    run::a_missing_bind_is_an_error,
    run::a_missing_executable_is_a_clear_error,
    run::nothing_written_survives_into_the_next_run,
    run::runs_of_one_image_do_not_meet,
    limit::memory,
    limit::processes,
    limit::log_bytes,
    limit::file_size,
    limit::deadline,
    limit::cancel,
    limit::privileges_are_few_and_cannot_grow,
    limit::network_none_has_only_loopback,
    image::imported_image_is_pinned_by_its_id,
    image::a_local_image_does_not_satisfy_a_registry_pin,
    image::an_image_that_is_not_here_does_not_run,
    image::later_layers_win,
    image::pull_by_digest_from_a_registry,
    image::a_present_digest_needs_no_registry,
    image::another_digest_is_refused,
    image::what_is_nowhere_is_not_found,
    image::a_silent_registry_is_unreachable,
    image::resolve_asks_the_engine_then_the_registry,
    platform::an_image_for_another_machine_is_refused,
    platform::an_archive_for_another_machine_is_refused,
    platform::an_index_gives_the_image_for_this_machine,
    platform::an_index_without_this_machine_names_what_it_has,
    private::a_private_image_is_pulled_with_its_password,
    private::a_private_image_is_refused_without_password,
    private::a_wrong_password_is_refused_and_not_told,
    cache::the_least_recently_used_image_goes,
    cache::an_image_in_use_stays,
    cache::what_others_have_put_here_stays,
    cache::a_pull_that_was_cut_off_is_not_forgotten,
    cache::images_that_are_here_are_told,
    cleanup::kill_ends_a_run,
    cleanup::killing_nothing_is_fine,
    cleanup::a_dropped_run_leaves_nothing,
    cleanup::sweep_takes_the_prefix_only,
    killed::victim,
    killed::a_killed_process_leaves_nothing_after_a_sweep,
    killed::an_orphan_is_adopted_while_it_runs,
    killed::an_orphan_is_adopted_after_its_end,
    killed::nobody_is_not_adopted,
    hostile::fork_bomb,
    hostile::memory_hog,
    hostile::disk_filler_in_the_output,
    hostile::disk_filler_in_its_own_root,
    hostile::disk_filler_in_deleted_files,
    hostile::too_many_files,
    hostile::folders_without_end,
    hostile::folders_of_long_names,
    hostile::a_giant_with_a_hole,
    hostile::endless_log,
    hostile::ignores_sigterm,
    hostile::docker_socket,
    hostile::killed_by_somebody_else,
    seccomp::what_opens_the_walls_is_refused,
    seccomp::ordinary_programs_run,
    network::outbound_reaches_the_world_and_nothing_private,
    network::outbound_does_not_reach_the_host,
    network::an_allowlist_is_all_there_is,
    network::a_name_without_address_does_not_start,
    secret::the_program_sees_its_secrets,
    secret::nothing_else_is_different,
    secret::what_cannot_start_is_named,
    secret::codes_of_a_failed_start_are_the_programs_too,
    secret::nobody_outside_sees_a_secret,
    secret::another_user_in_the_container_finds_nothing,
    secret::unsound_ones_are_refused,
    loopback::a_loopback_is_the_programs_alone,
    loopback::loopbacks_at_one_port_do_not_meet,
    loopback::a_loopback_leaves_nothing_open,
    loopback::a_loopback_is_there_before_the_program,
    loopback::a_loopback_is_there_besides_a_network,
    loopback::a_loopback_that_nobody_waits_for_does_not_start,
    loopback::a_run_that_ends_does_not_wait_for_its_loopback,
    loopback::what_cannot_start_with_a_loopback_is_named,
    loopback::unsound_loopbacks_are_refused,
}

// With a secret in each run: whatever starts the program then, the rest of the contract holds.
macro_rules! with_secret {
    ($engine:ident: $($more:tt)*) => {
        contract! {
            $engine:
            run::exit_code_is_the_programs,
            run::a_signal_gives_128_plus_its_number,
            run::stdout_and_stderr_are_told_apart_and_live,
            run::logs_are_complete_when_the_run_returns,
            run::args_replace_cmd_and_keep_entrypoint,
            run::working_directory_and_user_are_the_images,
            run::binds_show_what_they_should_and_no_more,
            run::a_missing_bind_is_an_error,
            run::a_missing_executable_is_a_clear_error,
            run::nothing_written_survives_into_the_next_run,
            limit::memory,
            limit::processes,
            limit::log_bytes,
            limit::file_size,
            limit::deadline,
            limit::cancel,
            limit::privileges_are_few_and_cannot_grow,
            limit::network_none_has_only_loopback,
            cleanup::kill_ends_a_run,
            cleanup::a_dropped_run_leaves_nothing,
            cleanup::sweep_takes_the_prefix_only,
            $($more)*
        }
    };
}

with_secret! {
    docker_with_secret:
    killed::victim,
    killed::a_killed_process_leaves_nothing_after_a_sweep,
    killed::an_orphan_is_adopted_while_it_runs,
    killed::an_orphan_is_adopted_after_its_end,
    secret::what_was_never_told_is_not_adopted,
}

with_secret! {
    builtin_with_secret:
    killed::victim,
    killed::a_killed_process_leaves_nothing_after_a_sweep,
    killed::an_orphan_is_adopted_while_it_runs,
    killed::an_orphan_is_adopted_after_its_end,
    seccomp::what_opens_the_walls_is_refused,
}

with_secret! {
    podman_with_secret:
    secret::what_was_never_told_is_not_adopted,
}

// What could differ with Podman behind Docker's API; the rest of the suite is about this program or
// the kernel. Two things do differ: Podman adds `container` and `TERM` to the environment, and an
// image that was imported has a digest too.
contract! { podman:
    run::exit_code_is_the_programs,
    run::stdout_and_stderr_are_told_apart_and_live,
    run::logs_are_complete_when_the_run_returns,
    run::working_directory_and_user_are_the_images,
    run::binds_show_what_they_should_and_no_more,
    run::a_missing_bind_is_an_error,
    run::a_missing_executable_is_a_clear_error,
    limit::memory,
    limit::processes,
    limit::log_bytes,
    limit::deadline,
    limit::cancel,
    limit::privileges_are_few_and_cannot_grow,
    limit::network_none_has_only_loopback,
    image::pull_by_digest_from_a_registry,
    image::another_digest_is_refused,
    platform::an_image_for_another_machine_is_refused,
    platform::an_index_gives_the_image_for_this_machine,
    platform::an_index_without_this_machine_names_what_it_has,
    private::a_private_image_is_pulled_with_its_password,
    private::a_private_image_is_refused_without_password,
    private::a_wrong_password_is_refused_and_not_told,
    cache::the_least_recently_used_image_goes,
    cache::an_image_in_use_stays,
    cache::what_others_have_put_here_stays,
    cleanup::kill_ends_a_run,
    cleanup::a_dropped_run_leaves_nothing,
    cleanup::sweep_takes_the_prefix_only,
    network::outbound_reaches_the_world_and_nothing_private,
    network::outbound_does_not_reach_the_host,
    secret::the_program_sees_its_secrets,
    secret::nothing_else_is_different,
    secret::what_cannot_start_is_named,
    secret::codes_of_a_failed_start_are_the_programs_too,
    secret::nobody_outside_sees_a_secret,
    secret::another_user_in_the_container_finds_nothing,
    loopback::a_loopback_is_the_programs_alone,
    loopback::loopbacks_at_one_port_do_not_meet,
    loopback::a_loopback_leaves_nothing_open,
    loopback::a_loopback_is_there_before_the_program,
    loopback::a_loopback_that_nobody_waits_for_does_not_start,
    loopback::a_loopback_is_there_besides_a_network,
    loopback::a_run_that_ends_does_not_wait_for_its_loopback,
    loopback::what_cannot_start_with_a_loopback_is_named,
}
