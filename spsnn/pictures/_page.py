"""The HTML page of a report: markup and style, without script and without anything to fetch."""

from string import Template

_STYLE = """
:root{color-scheme:light dark;
--page:#f4f6f9;--paper:#fff;--ink:#1d2331;--muted:#5d6677;--rule:#e2e5eb;--accent:#0068a5;--soft:#eef4f9;--alarm:#b93d0b;
--c0:#0072b2;--c1:#d55e00;--c2:#009e73;--c3:#cc79a7;--c4:#56b4e9;--c5:#b8860b;--c6:#7b5ea7;--c7:#7f8794;
--shadow:0 1px 2px rgba(20,30,50,.05),0 4px 16px rgba(20,30,50,.05);
--sans:system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue","Noto Sans","Liberation Sans",Arial,sans-serif;
--mono:ui-monospace,SFMono-Regular,Menlo,Consolas,"Liberation Mono",monospace}
@media (prefers-color-scheme:dark){:root{
--page:#0f131a;--paper:#171c25;--ink:#e6eaf1;--muted:#98a3b5;--rule:#2a3240;--accent:#6cb8ee;--soft:#1d2632;--alarm:#d9531e;
--c0:#4aa8e0;--c1:#f0803c;--c2:#2fc49a;--c3:#df97bd;--c4:#8ccbf2;--c5:#d9ab3a;--c6:#a48fd6;--c7:#a2abb9;
--shadow:0 0 0 1px rgba(255,255,255,.04)}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%;scroll-behavior:smooth;scroll-padding-top:1.5rem}
@media (prefers-reduced-motion:reduce){html{scroll-behavior:auto}}
body{margin:0;background:var(--page);color:var(--ink);font:16px/1.6 var(--sans)}
a{color:var(--accent);text-decoration:none}
a:hover{text-decoration:underline}
a:focus-visible,.scroll:focus-visible{outline:2px solid var(--accent);outline-offset:2px;border-radius:4px}
header,.layout,footer{max-width:1560px;margin:0 auto;padding:0 clamp(1rem,4vw,2.5rem)}
header{padding-top:clamp(1.75rem,5vw,3.25rem)}
h1{margin:0;font-size:clamp(1.6rem,4vw,2.3rem);line-height:1.2;font-weight:680;letter-spacing:-.018em;overflow-wrap:anywhere}
.badge{display:inline-block;vertical-align:.4em;margin-left:.75rem;padding:.22em .75em;border-radius:99px;
background:var(--alarm);color:#fff;font-size:.72rem;font-weight:700;letter-spacing:.07em;line-height:1.5}
.subtitle{margin:.45rem 0 0;color:var(--muted);font-size:1.06rem;max-width:52rem}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,9.5rem),1fr));gap:.9rem;margin:1.75rem 0 0}
.cards div{background:var(--paper);border-radius:12px;padding:.95rem 1.1rem 1rem;box-shadow:var(--shadow);
border-top:3px solid var(--accent)}
.cards dt{color:var(--muted);font-size:.83rem;line-height:1.35}
.cards dd{margin:.25rem 0 0;font-size:1.55rem;font-weight:660;line-height:1.25;letter-spacing:-.012em;
font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
.cards .note{display:block;font-size:.8rem;font-weight:400;letter-spacing:0;color:var(--muted);margin-top:.2rem}
.layout{padding-top:2rem;padding-bottom:1rem}
nav{font-size:.93rem;margin-bottom:2rem}
nav p{margin:0 0 .4rem;
font-size:.76rem;font-weight:650;letter-spacing:.08em;text-transform:uppercase;color:var(--muted)}
nav ol{margin:0;padding:0;list-style:none;display:flex;flex-wrap:wrap;gap:.2rem 1.3rem}
@media (min-width:1000px){
.layout{display:grid;grid-template-columns:11.5rem minmax(0,1fr);gap:2.75rem}
nav{position:sticky;top:1.75rem;align-self:start;margin:.2rem 0 0}
nav ol{display:block;border-left:2px solid var(--rule)}
nav li{padding:.2rem 0 .2rem .9rem;line-height:1.4}}
section{background:var(--paper);border-radius:14px;box-shadow:var(--shadow);padding:clamp(1.15rem,3vw,1.9rem);
margin-bottom:1.4rem}
h2{margin:0 0 .7rem;font-size:1.28rem;line-height:1.3;font-weight:650;letter-spacing:-.01em;overflow-wrap:anywhere}
section p,section ul{margin:0 0 .9rem;max-width:46rem;overflow-wrap:anywhere}
section ul{padding-left:1.2rem}
code{font:.88em var(--mono);background:var(--soft);border-radius:5px;padding:.12em .36em}
.scroll{overflow:auto;max-height:34rem;margin:0}.scroll:has(.pairs){max-height:none}
table{border-collapse:collapse;font-size:.93rem;line-height:1.45;min-width:min(100%,25rem)}
th,td{padding:.46rem 1.1rem .46rem .55rem;border-bottom:1px solid var(--rule);text-align:left;vertical-align:baseline}
tbody th{font-weight:400;color:var(--muted)}
.pairs td{font-weight:550}
thead th{position:sticky;top:0;background:var(--paper);font-weight:620;font-size:.85rem;white-space:nowrap;
box-shadow:inset 0 -2px 0 var(--rule);border-bottom:0}
tbody tr:hover{background:var(--soft)}
.num{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.unit{color:var(--muted);font-weight:400}
.flow{display:flex;flex-wrap:wrap;gap:1.4rem 2.2rem;align-items:flex-start;margin-top:.7rem}
.flow .scroll{flex:0 1 auto;max-width:100%}
.flow .narrow{flex:0 1 38rem}
figure{margin:0;min-width:0;flex:1 1 auto}
figure svg,figure img{display:block;width:100%;height:auto;margin:0 auto}
figure svg text{font-family:var(--sans)!important}
figure .sheet{background:#fff;border-radius:8px;padding:.4rem}
figcaption{color:var(--muted);font-size:.88rem;line-height:1.5;margin:.5rem 0 0;max-width:46rem}
footer{padding-bottom:3rem;color:var(--muted);font-size:.85rem}
footer dl{display:flex;flex-wrap:wrap;gap:.3rem 1.8rem;margin:0;padding-top:1.1rem;border-top:1px solid var(--rule)}
footer dl div{display:flex;gap:.45rem;min-width:0}
footer dt::after{content:":"}
footer dd{margin:0;color:var(--ink);overflow-wrap:anywhere}
@media print{body{background:#fff;font-size:11pt}nav{display:none}.layout{display:block}.scroll{max-height:none}
section,.cards div{box-shadow:none;border:1px solid var(--rule)}figure,.cards div,tr{break-inside:avoid}}
"""

PAGE = Template(f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none';style-src 'unsafe-inline';img-src data:">
<meta name="generator" content="spsnn">
<title>$title</title>
<style>{_STYLE}</style>
</head>
<body>
<header>
<h1>$title$badge</h1>
$subtitle
$cards
</header>
<div class="layout">
$contents
<main>
$body
</main>
</div>
<footer>$meta</footer>
</body>
</html>
""")
