//! Where a run took place.

use convnet_engine as engine;

/// Facts about the program and the machine, by name.
pub fn environment() -> Vec<(String, String)> {
    let cores = std::thread::available_parallelism().map_or(1, |n| n.get());
    let precision = match engine::precision() {
        engine::Precision::Fast => "fast",
        engine::Precision::Exact => "exact",
    };
    let facts = [
        ("convnet", env!("CARGO_PKG_VERSION").to_string()),
        ("system", format!("{} on {}", std::env::consts::OS, std::env::consts::ARCH)),
        ("processor", processor().unwrap_or_else(|| "unknown".into())),
        ("cores", cores.to_string()),
        ("threads", engine::threads().to_string()),
        ("instructions", engine::Isa::detect().name().to_string()),
        ("precision", precision.into()),
        ("command", std::env::args().collect::<Vec<_>>().join(" ")),
    ];
    facts.into_iter().map(|(name, value)| (name.to_string(), value)).collect()
}

/// The processor's name; only Linux tells.
fn processor() -> Option<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_string())
}
