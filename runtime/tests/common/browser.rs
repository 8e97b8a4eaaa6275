//! A page as a browser draws it: how bright it is, and where its text and its boxes lie.

use serde_json::Value;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The browser, with what all calls have in common. Nothing, with a word, where there is none.
fn browser(page: &Path) -> Option<Command> {
    let browsers = ["chromium", "chromium-browser", "google-chrome", "chrome"];
    let is_there =
        |name: &&&str| Command::new(name).arg("--version").output().is_ok_and(|output| output.status.success());
    let Some(browser) = browsers.iter().find(is_there) else {
        eprintln!("none of {} is here: the page was not looked at", browsers.join(", "));
        return None;
    };
    let mut command = Command::new(browser);
    command.args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"]);
    // A browser that has just ended may still hold its profile.
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    let profile = page.with_extension(format!("profile{}", CALLS.fetch_add(1, Ordering::Relaxed)));
    command.arg(format!("--user-data-dir={}", profile.display()));
    Some(command)
}

/// The share of pixels of an image of the page that differ from its corner, and how bright that is.
fn looked_at(page: &Path, dark: bool) -> Option<(f64, u32)> {
    let shot = page.with_extension("png");
    let mut command = browser(page)?;
    command.arg("--window-size=1000,2400");
    if dark {
        command.arg("--blink-settings=preferredColorScheme=0");
    }
    command.arg(format!("--screenshot={}", shot.display())).arg(format!("file://{}", page.display()));
    let output = command.output().unwrap();
    assert!(shot.exists(), "{}", String::from_utf8_lossy(&output.stderr));
    let image = image::open(&shot).unwrap().to_rgb8();
    std::fs::remove_file(&shot).unwrap();
    let corner = *image.get_pixel(0, 0);
    let drawn = image.pixels().filter(|pixel| **pixel != corner).count();
    Some((drawn as f64 / (1000.0 * 2400.0), corner.0.map(u32::from).iter().sum::<u32>() / 3))
}

/// How a page looks in light and in dark: for each, the share of pixels that are drawn on and how bright the ground is.
pub fn looks_at(page: &Path) -> Option<[(f64, u32); 2]> {
    Some([looked_at(page, false)?, looked_at(page, true)?])
}

/// What a script finds in the page, which stands in a frame of some width: a window cannot be made as narrow as a telephone.
const MEASURE: &str = r#"
const frame = document.querySelector("iframe"), doc = frame.contentDocument, root = doc.documentElement;
const height = root.scrollHeight;
doc.querySelectorAll("details").forEach(d => d.open = true);
const found = {height, overflow: root.scrollWidth - root.clientWidth, broken: 0, smallest: 1e9, clipped: [], cut: [], axes: []};
for (const image of doc.images) if (!image.naturalWidth) found.broken++;
const walk = doc.createTreeWalker(doc.body, NodeFilter.SHOW_TEXT);
while (walk.nextNode()) {
  const text = walk.currentNode.textContent.trim(), parent = walk.currentNode.parentElement;
  if (!text || parent.closest("title, style, .skip")) continue;
  const range = doc.createRange(); range.selectNodeContents(walk.currentNode);
  const box = range.getBoundingClientRect();
  if (!box.width) continue;
  const drawn = parent instanceof frame.contentWindow.SVGGraphicsElement ? parent.getScreenCTM().a : 1;
  found.smallest = Math.min(found.smallest, parseFloat(frame.contentWindow.getComputedStyle(parent).fontSize) * drawn);
  // Where it may be moved into sight, it is not cut off.
  if (!parent.closest(".scroll") && (box.left < -0.5 || box.right > root.clientWidth + 0.5)) found.clipped.push(text);
  const card = parent.closest("section");
  if (card && !parent.closest(".scroll")) {
    const own = card.getBoundingClientRect();
    if (box.left < own.left - 0.5 || box.right > own.right + 0.5) found.clipped.push(text);
  }
}
doc.querySelectorAll("body *").forEach(e => {
  if (e.scrollWidth > e.clientWidth + 1 && e.clientWidth && !["visible", "auto", "scroll"].includes(frame.contentWindow.getComputedStyle(e).overflowX)) found.cut.push(e.className || e.tagName);
});
doc.querySelectorAll(".chart .y, .chart .x").forEach(axis => {
  const spans = [...axis.querySelectorAll("span")], boxes = spans.map(s => s.getBoundingClientRect());
  const apart = (a, b) => a.right <= b.left || b.right <= a.left || a.bottom <= b.top + 1 || b.bottom <= a.top + 1;
  found.axes.push({texts: spans.map(s => s.textContent), apart: boxes.every((a, i) => boxes.every((b, j) => i <= j || apart(a, b)))});
});
document.body.textContent = "found" + JSON.stringify(found) + "end";
"#;

/// What is drawn in a page of so many pixels of width: `height` (with closed details), `overflow` (pixels that it is too wide), `broken` (images
/// that are not shown), `smallest` (font size in pixels), `clipped` and `cut` (texts and boxes that are not seen whole), `axes` (for each, `texts` and whether they lie `apart`).
pub fn measured(page: &Path, width: u32) -> Option<Value> {
    let escaped = std::fs::read_to_string(page).unwrap().replace('&', "&amp;").replace('"', "&quot;");
    let outer = page.with_extension("outer.html");
    let html = format!(
        "<!doctype html><meta charset=\"utf-8\"><body style=\"margin:0\"><iframe style=\"border:0;width:{width}px;height:900px\" \
         srcdoc=\"{escaped}\"></iframe><script>onload = () => {{ {MEASURE} }}</script></body>"
    );
    std::fs::write(&outer, html).unwrap();
    let mut command = browser(page)?;
    let output = command.args(["--window-size=2000,1000", "--dump-dom"]).arg(format!("file://{}", outer.display()));
    let output = output.output().unwrap();
    std::fs::remove_file(&outer).unwrap();
    let text = String::from_utf8_lossy(&output.stdout).replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    let found = text.split_once(">found").and_then(|(_, rest)| Some(rest.rsplit_once("end<")?.0.to_string()));
    let found = found.unwrap_or_else(|| panic!("nothing was measured: {}", String::from_utf8_lossy(&output.stderr)));
    Some(serde_json::from_str(&found).unwrap_or_else(|error| panic!("{error}: {found}")))
}

/// Checks what holds of every page, on a telephone and on a desk: nothing is cut off, text can be read, ticks differ. Gives the
/// heights at 400 and at 1200 pixels.
pub fn is_legible(page: &Path) -> Option<[f64; 2]> {
    let mut heights = [0.0; 2];
    for (height, width) in heights.iter_mut().zip([400, 1200]) {
        let found = measured(page, width)?;
        *height = found["height"].as_f64().unwrap();
        assert_eq!(found["overflow"], 0, "at {width} pixels");
        assert!(found["smallest"].as_f64().unwrap() >= 11.0, "at {width} pixels: text of {}", found["smallest"]);
        for what in ["clipped", "cut"] {
            assert!(found[what].as_array().unwrap().is_empty(), "at {width} pixels {what}: {}", found[what]);
        }
        let axes = found["axes"].as_array().unwrap();
        assert!(!axes.is_empty());
        for axis in axes {
            let texts: Vec<&str> = axis["texts"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
            let mut different = texts.clone();
            different.sort_unstable();
            different.dedup();
            assert!(different.len() == texts.len() && axis["apart"] == true, "at {width} pixels: {axis}");
        }
    }
    Some(heights)
}
