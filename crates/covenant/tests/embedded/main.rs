//! What the assembly promises on the embedded stores, a file a behaviour.
#![cfg(feature = "sqlite")]

#[cfg(test)]
mod a_backup_takes_the_live_stores_place;
#[cfg(test)]
mod a_backup_that_failed_is_told_and_tried_again;
#[cfg(test)]
mod a_bucket_that_keeps_what_was_deleted_is_refused;
#[cfg(test)]
mod a_contract_ends_and_all_of_its_tenant_goes;
#[cfg(test)]
mod a_deleted_file_is_out_of_reach_at_once;
#[cfg(test)]
mod a_hold_keeps_what_would_be_deleted;
#[cfg(test)]
mod a_key_never_dies_before_what_is_owed;
#[cfg(test)]
mod a_key_store_that_comes_back_forgets_again;
#[cfg(test)]
mod a_purge_by_hand_is_ordered_certified_and_finished;
#[cfg(test)]
mod a_purge_stopped_at_any_step_ends_at_the_next_sweep;
#[cfg(test)]
mod a_purged_database_leaves_its_backups_alone;
#[cfg(test)]
mod a_restart_goes_on_where_it_stopped;
#[cfg(test)]
mod a_restore_stays_shut_until_deletions_are_replayed;
#[cfg(test)]
mod a_store_that_was_half_made_is_finished;
#[cfg(test)]
mod a_waiting_purge_goes_before_the_next_backup;
#[cfg(test)]
mod a_wrong_clock_deletes_nothing;
#[cfg(test)]
mod an_expired_database_is_kept_locked;
#[cfg(test)]
mod broken;
#[cfg(test)]
mod common;
#[cfg(test)]
mod copies_of_keys_end_in_time;
#[cfg(test)]
mod keys_lie_apart_and_their_story_is_told;
#[cfg(test)]
mod live_records_are_gone_by_their_tenants_ceiling;
#[cfg(test)]
mod many_at_once_lose_nothing;
#[cfg(test)]
mod one_record_goes_the_whole_way;
#[cfg(test)]
mod rules_that_are_new_only_plan;
#[cfg(test)]
mod tenants_rules_only_narrow;
#[cfg(test)]
mod what_is_refused_changes_nothing;
#[cfg(test)]
mod what_nobody_ruled_does_not_start;
#[cfg(test)]
mod what_will_be_late_is_told_in_time;
