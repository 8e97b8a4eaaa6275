//! A page as a browser draws it.

use std::path::Path;
use std::process::Command;

/// The share of pixels of a picture of the page that differ from its corner, and how bright that is.
fn looked_at(browser: &str, page: &Path, dark: bool) -> (f64, u32) {
    let shot = page.with_extension("png");
    let mut command = Command::new(browser);
    command.args([
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--hide-scrollbars",
        "--window-size=1000,2400",
    ]);
    command.arg(format!("--user-data-dir={}", page.with_extension("profile").display()));
    if dark {
        command.arg("--blink-settings=preferredColorScheme=0");
    }
    command.arg(format!("--screenshot={}", shot.display())).arg(format!("file://{}", page.display()));
    let output = command.output().unwrap();
    assert!(shot.exists(), "{}", String::from_utf8_lossy(&output.stderr));
    let picture = image::open(&shot).unwrap().to_rgb8();
    std::fs::remove_file(&shot).unwrap();
    let corner = *picture.get_pixel(0, 0);
    let drawn = picture.pixels().filter(|pixel| **pixel != corner).count();
    (drawn as f64 / (1000.0 * 2400.0), corner.0.map(u32::from).iter().sum::<u32>() / 3)
}

/// How a page looks in light and in dark: for each, the share of pixels that are drawn on and how bright the ground is. Nothing,
/// with a word, where there is no browser.
pub fn looks_at(page: &Path) -> Option<[(f64, u32); 2]> {
    let browsers = ["chromium", "chromium-browser", "google-chrome", "chrome"];
    let is_there =
        |name: &&&str| Command::new(name).arg("--version").output().is_ok_and(|output| output.status.success());
    let Some(browser) = browsers.iter().find(is_there) else {
        eprintln!("none of {} is here: the page was not looked at", browsers.join(", "));
        return None;
    };
    Some([false, true].map(|dark| looked_at(browser, page, dark)))
}
