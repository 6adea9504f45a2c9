//! What the logs in SQLite promise; each module is one promise.

#[cfg(test)]
mod a_checkpoint_is_signed_and_proves_its_leaves;
#[cfg(test)]
mod a_flipped_byte_is_found;
#[cfg(test)]
mod a_fold_is_the_last_word_on_every_item;
#[cfg(test)]
mod a_row_that_cannot_be_sequenced_is_set_aside;
#[cfg(test)]
mod a_stopped_drain_ends_where_an_undisturbed_one_would;
#[cfg(test)]
mod an_address_is_sealed_and_proven;
#[cfg(test)]
mod concurrent_writers_leave_no_gap;
#[cfg(test)]
mod coverage_finds_what_no_event_accounts_for;
#[cfg(test)]
mod deployment;
#[cfg(test)]
mod every_store_passes_the_suite;
#[cfg(test)]
mod memory;
