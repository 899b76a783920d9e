#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| osc_auth_layer::properties::public_path(data));
