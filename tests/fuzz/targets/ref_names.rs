#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| abbado_fuzz::bodies::ref_names(data));
