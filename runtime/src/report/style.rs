//! How the page looks: one style sheet for light, dark and paper, and text made safe for HTML.

/// The style sheet.
pub(super) const STYLE: &str = "
:root{color-scheme:light dark;--bg:#fbfbfa;--card:#fff;--ink:#1d2329;--quiet:#66707a;--line:#e3e6e8;--a:#1769c2;--b:#c2491a;--c:#2f8a4c;--d:#7b4fb5;--e:#8a6d00;--f:#5d6873;--heat:23,105,194;--wrong:194,73,26;--shade:#1d232955}
@media(prefers-color-scheme:dark){:root{--bg:#14171a;--card:#1c2024;--ink:#e6e9ec;--quiet:#98a2ab;--line:#30363c;--a:#6aaef5;--b:#f08a5d;--c:#6cc98a;--d:#b79af0;--e:#d8b94a;--f:#a7b2bc;--heat:106,174,245;--wrong:240,138,93;--shade:#e6e9ec66}}
*{box-sizing:border-box}
body{margin:0;overflow-wrap:break-word;background:var(--bg);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
main{max-width:1080px;margin:0 auto;padding:24px 16px 64px}main.wide{max-width:1700px}
h1{font-size:1.7rem;margin:.2em 0}h2{font-size:1.15rem;margin:0 0 .6em}
section{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:18px;margin-top:16px}
.scroll{overflow-x:auto;background:linear-gradient(to right,var(--card) 40%,transparent) 0 0/36px 100% local,linear-gradient(to left,var(--card) 40%,transparent) 100% 0/36px 100% local,linear-gradient(to right,var(--shade),transparent) 0 0/12px 100% scroll,linear-gradient(to left,var(--shade),transparent) 100% 0/12px 100% scroll;background-repeat:no-repeat;background-color:var(--card)}
.scroll:focus-visible{outline:2px solid var(--a);outline-offset:2px}
.quiet,.legend,.tell{color:var(--quiet)}
.facts{display:flex;flex-wrap:wrap;gap:8px 32px;margin:12px 0 0}.facts div{min-width:90px}.facts b{display:block;font-size:1.35rem;font-weight:600}
.two{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,420px),1fr));gap:16px}
.two section{margin-top:0}.two{margin-top:16px}
.chart{display:grid;grid-template-columns:auto 1fr;gap:0 8px;font-size:12px;line-height:16px;color:var(--quiet);padding:10px 16px 0 0}
.y{display:flex;flex-direction:column-reverse;justify-content:space-between;text-align:right;height:216px;margin-top:-8px;white-space:nowrap}
.plot svg{display:block;width:100%;height:200px;overflow:visible}.grid{stroke:var(--line)}
.x{position:relative;height:16px;margin-top:5px}.x span{position:absolute;transform:translateX(-50%);white-space:nowrap}.name{text-align:center}
polyline{fill:none;stroke-width:2;vector-effect:non-scaling-stroke;stroke-linejoin:round}polyline.a{stroke:var(--a)}polyline.b{stroke:var(--b)}polyline.c{stroke:var(--c)}polyline.d{stroke:var(--d)}polyline.e{stroke:var(--e)}polyline.f{stroke:var(--f)}
circle.a{fill:var(--a)}circle.b{fill:var(--b)}circle.c{fill:var(--c)}circle.d{fill:var(--d)}circle.e{fill:var(--e)}circle.f{fill:var(--f)}
.legend{margin:.4em 0 0;font-size:.9rem}.legend span{display:inline-block;max-width:100%;margin-right:18px}.legend i{display:inline-block;width:18px;height:3px;vertical-align:middle;margin-right:6px}
i.a{color:var(--a)}i.b{color:var(--b)}i.c{color:var(--c)}i.d{color:var(--d)}i.e{color:var(--e)}i.f{color:var(--f)}
.legend i{background:currentcolor}.legend i.dash{background:none;height:0;border-top:3px dashed}polyline.dash{stroke-dasharray:7 4}
table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:.92rem}
th,td{padding:3px 9px;text-align:right;border-bottom:1px solid var(--line);white-space:nowrap}th{font-weight:600}
th[scope=row],td.text{text-align:left}td.text{white-space:normal;overflow-wrap:anywhere}
.matrix td,.matrix th{padding:4px 7px;border:1px solid var(--line);text-align:center}
.tell{margin:.8em 0 .3em;font-size:.9rem}
summary{cursor:pointer;color:var(--a)}details{margin-top:10px}
.images{display:flex;flex-wrap:wrap;gap:14px;padding:0;margin:0;list-style:none}.images li{width:118px;font-size:.85rem;line-height:1.3}
.images img{width:118px;height:118px;object-fit:contain;image-rendering:pixelated;background:#000;border-radius:6px;display:block;margin-bottom:4px}
h3{font-size:1rem;margin:1em 0 .4em}nav ul{display:flex;flex-wrap:wrap;gap:4px 18px;padding:0;list-style:none}a{color:var(--a)}a:focus-visible{outline:2px solid var(--a);outline-offset:2px}
.skip{position:absolute;left:-999px}.skip:focus{left:8px;top:8px;background:var(--card);padding:6px}.note{border-left:3px solid var(--b);padding-left:10px}
.rows{display:flex;flex-wrap:wrap;gap:14px 28px}.figures{display:flex;flex-wrap:wrap;gap:12px;align-items:flex-start;max-width:100%}
figure{margin:0;display:table;max-width:100%}figure img{max-width:100%;height:auto;image-rendering:pixelated;border-radius:4px;display:block}
figcaption{display:table-caption;caption-side:bottom;font-size:.85rem;color:var(--quiet);line-height:1.35;margin-top:4px;overflow-wrap:anywhere}
.bar{display:flex;align-items:center;gap:5px;font-size:12px;white-space:nowrap;margin-bottom:2px}.bar i{flex:1;height:8px;min-width:24px;border-radius:2px}
#findings{columns:2 500px;column-gap:16px;margin-top:16px}#findings section{margin:0 0 16px;break-inside:avoid}#results{column-span:all}
#findings th:first-child{text-align:left}
@media print{body{background:#fff}section{break-inside:avoid}}
";

/// Text without anything that means something in HTML.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// A share as a percentage.
pub(super) fn percent(x: f64) -> String {
    format!("{:.2} %", x * 100.0)
}

/// A table, which is named for those who do not see it, that is moved by itself where it is wider than the page; a shadow at its side
/// says that there is more.
pub(super) fn scrolled(name: &str, table: &str) -> String {
    format!("<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"{}\">{table}</div>", escape(name))
}
