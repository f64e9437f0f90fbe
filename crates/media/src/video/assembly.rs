/// Returns which hand-written assembly the linked H.264 encoder runs on this machine: `nasm`, `neon` or `none`.
///
/// Without nasm at build time the encoder falls back to plain C++ in silence and takes three times as long, so
/// operators and benches say which one they run. The answer comes from the linked library itself and not from
/// looking for nasm now: nasm may have come or gone since the library was built.
pub fn encoder_assembly() -> &'static str {
    if cpu_features() == 0 {
        "none"
    } else if cfg!(any(target_arch = "x86", target_arch = "x86_64")) {
        "nasm"
    } else {
        "neon"
    }
}

#[cfg(any(target_arch = "x86", target_arch = "x86_64", target_arch = "aarch64"))]
#[allow(
    unsafe_code,
    reason = "openh264 tells which of its assembly it can use in this one C function, and its binding leaves it out"
)]
fn cpu_features() -> u32 {
    unsafe extern "C" {
        /// openh264, codec/common/inc/cpu.h. The features that the library was built to use and the processor
        /// has; 0 when built without assembly.
        fn WelsCPUFeatureDetect(logical_processors: *mut i32) -> u32;
    }
    let mut logical_processors = 0;
    // SAFETY: a C function without state, with the signature of cpu.h, that writes at most one i32 through the
    // pointer, which is valid for the call. openh264 calls it in the same way in WelsInitEncoderExt.
    unsafe { WelsCPUFeatureDetect(&raw mut logical_processors) }
}

#[cfg(not(any(target_arch = "x86", target_arch = "x86_64", target_arch = "aarch64")))]
fn cpu_features() -> u32 {
    0
}
