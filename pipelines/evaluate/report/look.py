"""How a report looks: light and dark, on a screen and on paper, with the fonts of the machine that shows it."""

STYLE = """
:root{color-scheme:light dark;--ink:#1a1c1e;--paper:#fff;--soft:#f3f4f6;--line:#d5d8dc;--quiet:#5a6068;--warn:#fff3d6}
@media (prefers-color-scheme:dark){:root{--ink:#e8eaed;--paper:#15181b;--soft:#1f2429;--line:#3a4149;--quiet:#a3abb4;--warn:#3b3116}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,"Segoe UI",Roboto,"Noto Sans","DejaVu Sans",sans-serif}
main{max-width:1080px;margin:0 auto;padding:24px 20px 48px}
h1{font-size:1.6rem;margin:0 0 4px}
h2{font-size:1.1rem;margin:28px 0 6px}
p{margin:6px 0;max-width:78ch}
.lead{color:var(--quiet)}
.warn{background:var(--warn);border-left:4px solid #c98a00;padding:8px 12px;max-width:none}
.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(200px,1fr));gap:10px;margin:18px 0}
.card{background:var(--soft);border-radius:8px;padding:10px 14px}
.card dt{color:var(--quiet);font-size:.85rem}
.card dd{margin:0;display:flex;flex-direction:column}
.card b{font-size:1.45rem;font-variant-numeric:tabular-nums}
.card span,.card small,td{font-variant-numeric:tabular-nums}
.card small{color:var(--quiet)}
.plots{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(480px,100%),1fr));gap:8px 28px}
figure{margin:0}
.plots svg{max-width:100%;height:auto;display:block;overflow:visible}
.plots p{color:var(--quiet);font-size:.9rem}
.wide{overflow-x:auto}
table{border-collapse:collapse;font-size:.9rem;margin:6px 0}
th,td{text-align:left;padding:4px 14px 4px 0;border-bottom:1px solid var(--line);vertical-align:top}
thead th{color:var(--quiet);font-weight:600}
tbody th{font-weight:400;color:var(--quiet)}
code,pre{font-family:ui-monospace,"DejaVu Sans Mono",monospace;font-size:.85rem;overflow-wrap:anywhere}
pre{background:var(--soft);padding:10px 12px;border-radius:6px;white-space:pre-wrap}
.cases{display:grid;grid-template-columns:repeat(auto-fill,minmax(220px,1fr));gap:14px;margin-top:10px}
.case div{display:flex;gap:3px}
.case img{flex:1 1 0;min-width:0;max-width:240px;height:auto;border-radius:4px;background:var(--soft);object-fit:contain}
.case figcaption{font-size:.82rem;color:var(--quiet);overflow-wrap:anywhere}
@media print{body{font-size:11px}main{max-width:none;padding:0}.card,figure,tr{break-inside:avoid}h2{break-after:avoid}}
"""
