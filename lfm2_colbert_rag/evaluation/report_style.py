"""How the HTML report looks."""

from __future__ import annotations

__all__ = ["STYLE"]

STYLE = """
:root{color-scheme:light dark;--ink:#14212b;--dim:#5d6b76;--line:#d9e0e5;--paper:#fff;
--soft:#f5f7f8;--main:#16608a;--good:#1f7a4d;--bad:#b3382c}
@media (prefers-color-scheme:dark){:root{--ink:#e6ebee;--dim:#9aa7b0;--line:#34414b;--paper:#12191f;
--soft:#1a242c;--main:#6db4dc;--good:#5cc48e;--bad:#f08a7d}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);
font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif}
main{max-width:1120px;margin:0 auto;padding:32px 24px 64px}
h1{font-size:28px;line-height:1.2;margin:0 0 12px}
h2{font-size:19px;margin:40px 0 12px;padding-top:16px;border-top:2px solid var(--line)}
h3{font-size:16px;margin:0 0 2px}
h4{font-size:12px;margin:8px 0 4px;color:var(--dim);font-weight:600}
h3 u{text-decoration-color:var(--main);text-decoration-thickness:2px;text-underline-offset:3px}
p{margin:4px 0 8px}.dim{color:var(--dim);font-weight:400}
dl{display:flex;flex-wrap:wrap;gap:8px 28px;margin:0}dl div{min-width:70px}
dt{font-size:12px;color:var(--dim)}dd{margin:0;font-weight:600;overflow-wrap:anywhere}
.scroll{overflow-x:auto;margin-bottom:10px}
table{border-collapse:collapse}th{text-align:start;font-weight:600}
th,td{padding:8px 16px 8px 0;border-bottom:1px solid var(--line);vertical-align:top}
thead th{font-size:12px;color:var(--dim);border-bottom:2px solid var(--line)}
.n{text-align:end;font-variant-numeric:tabular-nums;min-width:110px}
.n small{display:block;color:var(--dim);font-size:12px}
.bar{display:block;position:relative;height:6px;margin:3px 0 1px auto;width:110px;
background:var(--soft);border-radius:3px}
.bar i{position:absolute;top:0;bottom:0;background:var(--main);opacity:.35;border-radius:3px}
.bar u{position:absolute;top:-1px;bottom:-1px;width:2px;background:var(--main)}
.up{color:var(--good)}.down{color:var(--bad)}
.maps{display:flex;flex-wrap:wrap;gap:8px 40px}figure{margin:0 0 20px;max-width:100%}
figcaption{margin-bottom:6px}
.map td,.map th{padding:9px 6px;vertical-align:middle;border:2px solid var(--paper);
text-align:center;min-width:60px;font-variant-numeric:tabular-nums}
.map thead th,.map tbody th{color:var(--ink);font-size:13px}.map .none{background:var(--soft)}
article{border:1px solid var(--line);border-radius:8px;padding:14px 16px;margin:0 0 14px;
break-inside:avoid}
.two{display:grid;grid-template-columns:1fr 1fr;gap:0 20px}
.answer{background:var(--soft);border-inline-start:3px solid var(--line);border-radius:4px;
padding:6px 10px;margin:0 0 8px;font-size:14px}
.answer.good{border-inline-start-color:var(--good)}.answer p{margin:2px 0;overflow-wrap:anywhere}
.id{font-size:13px}mark{color:inherit;border-radius:2px;padding:0 1px}
@media (max-width:720px){.two{grid-template-columns:1fr}main{padding:20px 14px}}
@media print{main{max-width:none;padding:0}}
"""
