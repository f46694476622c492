//! The laws of a [`Store`](crate::Store), as tests that any backend can run.
//!
//! A backend writes one line, and gets one named test for each law. The line makes an empty store,
//! and whatever must outlive it:
//!
//! ```
//! mod laws {
//!     use std::sync::Arc;
//!
//!     use doorward_store::memory::MemoryStore;
//!
//!     doorward_store::store_laws!(async || (Arc::new(MemoryStore::default()), ()));
//! }
//! # fn main() {}
//! ```
//!
//! Every law starts from nothing, and brings its own times, ids and secrets. Races are laws too.
#![expect(clippy::unwrap_used, reason = "these are tests, public so that any backend can run them")]
#![expect(clippy::missing_panics_doc, reason = "a law panics when it is broken")]

pub mod accounts;
pub mod alike;
pub mod bindings;
pub mod clients;
pub mod codes;
pub mod data;
pub mod events;
pub mod histories;
pub mod keys;
pub mod log;
pub mod notices;
pub mod passwords;
pub mod personals;
pub mod places;
pub mod proofs;
pub mod refresh;
pub mod renaming;
pub mod sample;
pub mod sessions;
pub mod setup;
pub mod signals;
pub mod sites;
pub mod sweeping;

/// Writes one `#[tokio::test]` for each law.
#[macro_export]
macro_rules! store_laws {
    ($make:expr) => {
        $crate::store_laws!(@each $make;
            accounts::an_account_is_found_by_its_id_and_by_its_name,
            accounts::a_name_is_given_once,
            accounts::a_name_that_looks_like_another_is_taken,
            accounts::an_address_is_given_once_whatever_its_capitals,
            accounts::a_rehash_replaces_only_the_hash_it_was_made_from,
            accounts::accounts_are_listed_in_pages,
            accounts::an_administrator_is_noticed,
            accounts::an_account_is_opened_with_its_first_session,
            accounts::an_account_whose_session_is_refused_leaves_no_trace,
            accounts::of_parallel_registrations_of_one_name_one_counts,
            passwords::a_new_password_moves_the_epoch_and_ends_the_other_sessions,
            passwords::a_new_password_can_leave_the_other_sessions,
            passwords::a_change_in_a_past_epoch_changes_nothing,
            passwords::a_change_of_a_past_password_changes_nothing,
            passwords::no_session_is_opened_by_a_past_password,
            passwords::a_login_beside_a_change_is_before_it_or_refused,
            passwords::of_parallel_changes_one_counts,
            passwords::of_parallel_changes_that_leave_the_others_one_counts,
            passwords::of_parallel_changes_of_one_session_of_tokens_one_counts,
            passwords::a_change_from_a_session_renamed_meanwhile_changes_nothing,
            passwords::a_change_from_an_ended_session_changes_nothing,
            passwords::a_change_leaves_one_refresh_token,
            sessions::an_open_session_is_found_by_its_key_and_by_its_id,
            sessions::a_session_of_tokens_is_found_by_its_id,
            sessions::nothing_is_ever_overwritten,
            sessions::no_session_is_opened_in_a_past_epoch,
            sessions::a_touch_never_moves_time_back,
            sessions::a_touch_takes_the_address_along,
            sessions::a_touch_lowers_the_assurance_and_never_raises_it,
            sessions::a_touch_from_before_a_proof_leaves_its_assurance,
            sessions::a_touch_never_revives_an_ended_session,
            renaming::a_renamed_session_answers_to_its_new_key_alone,
            renaming::a_login_ends_the_session_whose_retired_key_it_replaces,
            renaming::a_new_proof_is_told_in_the_log,
            renaming::a_session_is_known_by_the_device_of_the_last_proof,
            renaming::a_retired_key_is_remembered_as_long_as_its_session,
            renaming::a_rename_takes_no_other_sessions_key,
            renaming::an_ended_session_cannot_be_renamed,
            renaming::of_parallel_renames_one_counts,
            renaming::of_parallel_renames_of_a_session_of_tokens_one_counts,
            renaming::a_rename_of_a_past_generation_changes_nothing,
            renaming::no_session_is_renamed_into_a_past_epoch,
            renaming::no_session_is_renamed_by_a_past_password,
            sessions::an_end_takes_everything_and_is_told_once,
            sessions::parallel_endings_of_one_session_make_one_entry,
            sessions::ending_all_sessions_of_one_account_leaves_the_others,
            sessions::ending_all_sessions_moves_the_epoch,
            sessions::a_login_ends_the_session_it_replaces,
            sessions::a_refused_login_replaces_nothing,
            sessions::sessions_are_listed_in_pages_newest_first,
            sessions::what_was_acknowledged_is_seen_at_once,
            sweeping::a_sweep_takes_the_dead_and_never_the_living,
            sweeping::a_sweep_takes_no_more_than_its_slice,
            sweeping::a_sweep_looks_at_each_session_once_in_a_pass,
            sweeping::a_sweep_leaves_the_sessions_of_the_future,
            codes::a_code_gives_one_refresh_token_of_its_client,
            codes::a_refresh_token_of_one_client_is_unknown_to_another,
            codes::a_code_is_refused_to_everybody_but_its_owner,
            codes::a_code_that_comes_twice_ends_what_came_of_it,
            codes::of_parallel_redemptions_one_counts,
            codes::a_code_goes_with_its_session_and_its_client,
            codes::a_revoked_client_has_no_refresh_tokens,
            codes::a_code_for_a_site_gives_no_refresh_token,
            codes::what_a_client_has_of_a_session_ends_alone,
            codes::codes_are_swept_when_they_are_over,
            data::a_value_is_written_read_and_removed,
            data::a_write_against_an_old_version_is_refused,
            data::parallel_writers_of_different_keys_both_stay,
            data::of_parallel_writers_of_one_version_one_counts,
            data::ten_thousand_writers_at_once_lose_nothing,
            data::an_end_amid_ten_thousand_writes_is_the_end_of_them,
            data::an_ended_session_takes_no_data,
            data::over_the_quota_nothing_is_stored,
            data::over_the_count_of_keys_nothing_is_stored,
            data::a_key_made_anew_has_no_version_it_had_before,
            data::no_version_of_the_session_before_a_login_comes_again,
            data::only_named_keys_go_over_and_only_from_an_anonymous_session,
            bindings::a_session_is_bound_once,
            bindings::a_session_that_ended_or_has_no_cookie_is_not_bound,
            bindings::of_parallel_bindings_one_counts,
            bindings::a_rename_keeps_the_binding,
            bindings::a_challenge_is_spent_once_and_in_order,
            bindings::of_parallel_answers_to_one_challenge_one_counts,
            bindings::a_binding_ends_with_its_session,
            refresh::a_first_use_keeps_the_successor,
            refresh::a_second_use_within_the_window_gets_the_same_successor,
            refresh::a_use_after_the_window_ends_the_session,
            refresh::a_use_after_the_successors_ends_the_session,
            refresh::a_token_used_long_ago_still_ends_the_session,
            refresh::a_withheld_token_stays_as_it_was_and_a_reuse_is_a_reuse,
            refresh::parallel_uses_of_one_token_get_one_successor,
            refresh::a_token_of_an_ended_session_is_unknown,
            refresh::a_token_of_a_session_past_its_limits_is_refused,
            refresh::a_rotation_is_a_use_of_the_session,
            refresh::the_session_of_a_token_is_found_without_using_it,
            refresh::the_tokens_of_a_session_are_those_that_were_not_used,
            refresh::a_bound_token_turns_for_its_key_alone,
            personals::a_token_is_found_as_it_was_kept,
            personals::a_token_is_ended_by_its_owner_and_told,
            personals::a_token_of_a_past_epoch_is_not_listed_and_not_made,
            personals::tokens_are_bounded_and_go_when_their_time_is_over,
            places::places_are_given_once,
            places::a_place_is_revoked_with_what_its_token_hangs_from,
            sites::an_origin_has_one_site,
            signals::a_client_has_one_stream,
            signals::an_end_is_told_to_every_stream_until_it_is_acknowledged,
            signals::a_verification_waits_like_any_signal,
            proofs::a_proof_is_taken_once,
            proofs::of_parallel_showings_of_one_proof_one_counts,
            proofs::proofs_are_bounded_and_go_when_their_time_is_over,
            keys::keys_are_listed_one_after_the_other,
            keys::of_two_keys_of_one_number_one_is_kept,
            keys::a_key_is_retired_once,
            keys::a_key_is_forgotten_when_another_follows,
            log::parallel_endings_leave_no_gap,
            log::a_sweep_of_the_log_leaves_no_gap_and_reuses_no_number,
            clients::a_client_is_found_as_it_was_kept,
            clients::a_client_has_one_secret,
            clients::what_was_issued_to_a_client_ends_with_a_log_entry,
            log::the_log_has_a_name_of_its_own,
            log::who_waits_for_entries_is_told,
            log::the_log_is_read_in_pages,
            events::events_are_read_newest_first,
            events::old_events_go_in_slices_and_new_ones_stay,
            events::an_event_comes_back_as_it_went_in,
            events::an_account_sees_its_own_events_in_pages_newest_first,
            events::what_is_printed_of_an_act_tells_no_secret,
            notices::an_alarming_event_is_a_notice_until_it_is_answered,
            notices::what_alarms_again_and_again_is_one_notice,
            notices::a_notice_is_answered_by_its_owner_alone,
            notices::of_parallel_answers_one_counts,
            notices::notices_are_listed_in_pages_newest_first,
            notices::a_notice_goes_with_its_event,
            notices::a_reuse_opens_a_notice_in_the_act_that_ends_the_session,
            notices::a_login_from_a_new_place_is_told_with_it,
            notices::a_country_does_not_hide_another_of_the_same_network,
            notices::a_refused_login_is_remembered_nowhere,
            notices::a_place_is_forgotten_after_ninety_days,
            notices::the_places_of_an_account_are_bounded,
            setup::a_setup_link_is_spent_once,
            setup::a_taken_name_does_not_spend_the_link,
            setup::an_expired_or_unknown_link_makes_no_account,
            setup::a_new_link_makes_the_one_before_void,
            setup::an_administrator_made_otherwise_makes_the_link_void,
            setup::a_link_is_spent_with_the_session_it_opens,
            setup::a_healthy_store_passes_its_probe,
        );
    };
    (@each $make:expr; $($noun:ident::$law:ident,)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $law() {
                let make = $make;
                let (store, _outlives_it) = make().await;
                $crate::conformance::$noun::$law(store).await;
            }
        )*
    };
}
