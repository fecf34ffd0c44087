"""Cases that take more than a file and a command: the test that holds each.

Where this differs from what was proposed first: no flag asks for a run to be resumed (E10), as the
same command does that by itself; a lock is one of the system's on an open file, which ends with its
process (E11); what is cached is written under a name of its own and renamed, so that of two
processes the later one wins with equal bytes (E13); half precision (F4) is a way to store weights,
and no way to compute. On Windows (E17) no test has run: what is held is that the code asks for
nothing that Python lacks there.
"""

HELD_BY = {
    "tests/test_predictor.py": {"test_values_that_teach_nothing_are_refused": "C25"},
    "tests/assays/test_tables.py": {
        "test_a_gzip_bomb_stops_at_the_cap": "B24",
        "test_reading_takes_no_more_memory_than_some_rows": "B25",
        "test_a_file_that_changed_meanwhile_is_noted": "B29",
    },
    "tests/assays/test_outputs.py": {
        "test_the_file_being_read_is_never_the_output": "B34",
        "test_a_full_disk_leaves_the_previous_file_and_no_part": "E7",
    },
    "tests/assays/test_support.py": {
        "test_many_rows_are_allowed_up_to_a_cap": "C20",
        "test_the_order_of_the_rows_does_not_matter": "C27",
    },
    "tests/test_checkpoint.py": {
        "test_d5_d6_d7_hostile_files_run_nothing_write_nothing_and_fit_in_100_mb": "D6",
        "test_a_file_with_a_true_hash_and_false_contents_is_refused": "D8 D9 D10 D11 D12",
        "test_d13_a_link_to_a_model_is_read_and_one_to_nothing_is_refused": "D13",
        "test_d14_a_file_does_not_say_on_which_device_it_was_written": "D14",
        "test_d15_a_folder_of_models_asks_for_a_name": "D15",
        "test_d16_no_line_of_the_package_can_unpickle_a_file": "D16",
        "test_half_precision_rounds_matrices_to_11_bits_and_keeps_all_else": "F4",
    },
    "tests/cli/test_predict.py": {
        "test_flags_that_make_no_sense_exit_2_with_empty_stdout": "E1",
        "test_an_output_that_cannot_be_written_exits_6_and_harms_nothing": "E5 E6",
        "test_files_of_any_name_are_read_and_written": "E16",
        "test_cuda_without_a_gpu_exits_2": "F1",
        "test_what_a_killed_process_left_is_cleared_and_what_a_living_one_holds_is_not": "E12",
    },
    "tests/cli/test_score.py": {
        "test_every_line_has_its_score_in_its_place": "E2 E3",
    },
    "tests/cli/test_main.py": {
        "test_a_closed_pipe_ends_quietly": "E4",
        "test_an_interrupt_leaves_no_file_and_has_its_code": "E9",
    },
    "tests/training/test_outer_loop.py": {
        "test_a_signal_lets_the_step_end_and_keeps_it": "E8",
        "test_the_same_settings_give_the_same_bytes": "F6",
    },
    "tests/test_text_scoring.py": {
        "test_a_full_gpu_halves_the_batch_and_loses_no_row": "F2",
        "test_a_gpu_that_fails_ends_in_a_sentence": "F3",
        "test_nothing_to_read_or_to_score_is_answered": "F7",
    },
    "tests/test_target.py": {
        "test_scores_do_not_depend_on_the_batch_size": "F5",
        "test_a_score_that_is_no_number_is_an_error_of_its_row": "F8",
    },
    "tests/benchmarks/test_kill_predict.py": {
        "test_a_kill_before_any_call_that_matters_costs_nothing": "E10",
        "test_a_kill_at_any_time_costs_nothing": "E10",
    },
    "tests/screening/test_journal.py": {
        "test_a_lock_ends_with_its_process": "E11",
    },
    "tests/screening/test_workers.py": {
        "test_a_row_that_ends_its_process_is_found_and_the_others_are_scored": "E19 E20",
    },
    "tests/screening/test_library.py": {
        "test_top_keeps_the_best_first_and_equal_ones_in_the_order_of_the_input": "F9",
    },
    "tests/robustness/test_races.py": {
        "test_fifty_processes_on_one_cold_cache_all_get_the_molecules": "E13",
    },
    "tests/robustness/test_portability.py": {
        "test_what_windows_lacks_is_imported_on_trial_alone": "E17",
    },
    "tests/cli/test_bad_inputs.py": {
        "test_no_home_no_network_and_no_folder_change_no_byte": "E14 E15 E18 E21 F11 F12",
    },
}
"""File -> test -> the ids of the cases that it holds."""

OPEN = {
    "F10": "the oldest and the newest dependencies",
}
"""Id -> what no test holds yet."""
