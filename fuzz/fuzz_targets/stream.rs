#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| mingle_fuzz_targets::stream(data));
