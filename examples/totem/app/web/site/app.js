// TOTEM's front: four pages over the API, redrawn when something changed. Texts are in texts.js; what differs by country comes from /api/config.
"use strict";

const state = { config: null, summary: null, sites: [], orders: [], invoices: [], away: false, query: "" };
let T = TEXTS.fr;

// --- small tools -------------------------------------------------------------------------------------------------
const $ = id => document.getElementById(id);
/** An element: tag.class, attributes (functions are listeners), children. Text is always text. */
function h(name, attributes, ...children) {
  const [tag, ...classes] = name.split(".");
  const element = document.createElement(tag);
  if (classes.length) element.className = classes.join(" ");
  for (const [key, value] of Object.entries(attributes || {})) {
    if (typeof value === "function") element.addEventListener(key, value);
    else if (key === "vars") for (const [name, v] of Object.entries(value)) element.style.setProperty(name, v);
    else if (value !== false && value != null) element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat().filter(child => child != null && child !== false));
  return element;
}
function svg(tag, attributes, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [key, value] of Object.entries(attributes || {})) element.setAttribute(key, value);
  element.append(...children);
  return element;
}
const money = value => new Intl.NumberFormat(T.locale, { style: "currency", currency: state.config.currency }).format(value);
const short = value => new Intl.NumberFormat(T.locale, { style: "currency", currency: state.config.currency, maximumFractionDigits: 0 }).format(value);
const number = (value, digits = 0) => new Intl.NumberFormat(T.locale, { minimumFractionDigits: digits, maximumFractionDigits: digits }).format(value);
const percent = value => new Intl.NumberFormat(T.locale, { style: "percent", maximumFractionDigits: 2 }).format(value / 100);
const day = value => new Intl.DateTimeFormat(T.locale, { day: "2-digit", month: "short", year: "numeric" }).format(new Date(value));

async function ask(path, options) {
  const answer = await fetch(path, { headers: { "Content-Type": "application/json" }, ...options });
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(body.error || `${answer.status}`);
  return body;
}
let quiet;
function toast(text, kind = "good", stay = false) {
  clearTimeout(quiet);
  $("toast").textContent = text;
  $("toast").className = `shown ${kind}`;
  if (!stay) quiet = setTimeout(() => { $("toast").className = ""; }, 3200);
}

// --- pieces ------------------------------------------------------------------------------------------------------
const pill = status => h(`span.pill.${status}`, {}, h("i"), T.status[status] || status);
const chip = tenant => h("span.chip", { vars: { "--dot": tenant.colour }, title: tenant.technology }, h("i"), tenant.name);
const card = (title, extra, ...body) => h("section.card", {}, h("div.head", {}, h("h2", {}, title), extra), ...body);

function orderRows(orders) {
  if (!orders.length) return h("p.empty", {}, T.none);
  return h("div.scroll", {}, h("table", {}, h("thead", {}, h("tr", {}, [T.number, T.site, T.tenant, T.work].map(text => h("th", {}, text)),
    h("th.right", {}, T.net), h("th.right", {}, T.vat), h("th.right", {}, T.gross), h("th", {}, T.state))),
  h("tbody", {}, orders.map(o => h("tr", {}, h("td", { "data-label": T.number }, h("b", {}, o.number), h("small", {}, day(o.created))),
    h("td", { "data-label": T.site }, o.site_name, h("small", {}, o.site)), h("td", { "data-label": T.tenant }, o.tenant), h("td", { "data-label": T.work }, T.works[o.kind] || o.kind),
    h("td.right.figure", { "data-label": T.net }, money(o.net)), h("td.right.figure", { "data-label": T.vat }, money(o.vat), h("small", {}, percent(o.vat_rate))),
    h("td.right.figure", { "data-label": T.gross }, h("b", {}, money(o.gross))), h("td", { "data-label": T.state }, pill(o.status)))))));
}

/** The country with its towers; a dot grows with the number of tenants on it. */
function map() {
  const rings = OUTLINE[state.config.country] || [];
  const points = rings.flat().concat(state.sites.map(s => [s.longitude, s.latitude]));
  const [west, east] = [Math.min(...points.map(p => p[0])), Math.max(...points.map(p => p[0]))];
  const [south, north] = [Math.min(...points.map(p => p[1])), Math.max(...points.map(p => p[1]))];
  const squeeze = Math.cos((south + north) / 2 * Math.PI / 180), scale = 470 / ((north - south));
  const at = ([x, y]) => [15 + (x - west) * squeeze * scale, 15 + (north - y) * scale];
  const width = 30 + (east - west) * squeeze * scale;
  const drawing = svg("svg", { viewBox: `0 0 ${width.toFixed(0)} 500`, class: "map", role: "img", "aria-label": T.map });
  for (const ring of rings) drawing.append(svg("path", { class: "land", d: "M" + ring.map(p => at(p).map(v => v.toFixed(1)).join(" ")).join("L") + "Z" }));
  const dots = state.sites.map(site => ({ site, at: at([site.longitude, site.latitude]) }));
  const taken = dots.map(({ at: [x, y] }) => [x - 7, y - 7, x + 7, y + 7]);
  for (const { site, at: [x, y] } of dots) {
    // The first of four places where the name covers no other name and no dot.
    const long = site.town.length * 7.2;
    const places = [["start", x + 11, y + 4.5, x + 10, y - 7], ["end", x - 11, y + 4.5, x - 10 - long, y - 7], ["middle", x, y - 12, x - long / 2, y - 24], ["middle", x, y + 21, x - long / 2, y + 9]];
    const free = ([, , , left, top]) => left > 0 && left + long < width && !taken.some(t => left < t[2] && left + long > t[0] && top < t[3] && top + 14 > t[1]);
    const [anchor, tx, ty, left, top] = places.find(free) || places[0];
    taken.push([left, top, left + long, top + 14]);
    drawing.append(svg("g", { class: "tower", tabindex: "0" }, svg("circle", { cx: x, cy: y, r: 9 + site.tenants.length * 3.5, class: "halo" }), svg("circle", { cx: x, cy: y, r: 5 }),
      svg("text", { x: tx, y: ty, "text-anchor": anchor }, site.town), svg("title", {}, `${site.name}, ${site.town}: ${site.tenants.map(t => t.name).join(", ")}`)));
  }
  return drawing;
}

function bars(entries, unit) {
  const most = Math.max(...entries.map(e => e.value), 1);
  return h("ul.bars", {}, entries.map(e => h("li", {}, h("span", {}, e.name), h("div", {}, h("i", { vars: { "--share": `${e.value / most * 100}%`, "--dot": e.colour || "var(--accent)" } })), h("b.figure", {}, unit(e.value)))));
}

// --- pages -------------------------------------------------------------------------------------------------------
function overview() {
  const s = state.summary;
  const hosted = new Map();
  for (const site of state.sites) for (const t of site.tenants) hosted.set(t.name, { name: t.name, colour: t.colour, value: (hosted.get(t.name)?.value || 0) + 1 });
  const tenants = [...hosted.values()].sort((a, b) => b.value - a.value);
  const tallest = [...state.sites].sort((a, b) => b.height - a.height).slice(0, 5).map(site => ({ name: `${site.name}, ${site.town}`, value: site.height }));
  const kpi = (label, value, note) => h("div.kpi", {}, h("span", {}, label), h("b.figure", {}, value), h("small", {}, note));
  return [
    h("div.title", {}, h("div", {}, h("h1", {}, T.hello), h("p", {}, T.subtitle(number(s.sites), number(s.tenants)))), h("a.button", { href: "#/orders" }, T.neworder)),
    h("div.kpis", {}, kpi(T.k_sites, number(s.sites), T.k_sites_note), kpi(T.k_ratio, number(s.hostings / Math.max(s.sites, 1), 1), T.k_ratio_note(number(s.hostings))),
      kpi(T.k_open, number(s.open), T.k_open_note(number(s.orders))), kpi(T.k_net, short(s.net), T.k_net_note(percent(state.config.vat_rate)))),
    h("div.columns", {},
      state.config.features.map && card(T.map, h("span.tag", {}, T.map_new), map()),
      h("div.stack", {}, card(T.tenants, null, bars(tenants, number)), card(T.top, null, bars(tallest, v => `${number(v)} m`)))),
    card(T.recent, h("a", { href: "#/orders" }, T.all), orderRows(state.orders.slice(0, 5))),
  ];
}

function sites() {
  const list = h("div.scroll");
  const draw = () => {
    const words = state.query.toLocaleLowerCase(T.locale);
    const found = state.sites.filter(s => [s.code, s.name, s.town, T.kinds[s.kind], ...s.tenants.map(t => t.name)].join(" ").toLocaleLowerCase(T.locale).includes(words));
    list.replaceChildren(found.length ? h("table", {}, h("thead", {}, h("tr", {}, [T.site, T.town, T.kind].map(text => h("th", {}, text)), h("th.right", {}, T.height), h("th", {}, T.since), h("th", {}, T.hosted))),
      h("tbody", {}, found.map(s => h("tr", {}, h("td", { "data-label": T.site }, h("b", {}, s.name), h("small", {}, s.code)), h("td", { "data-label": T.town }, s.town),
        h("td", { "data-label": T.kind }, T.kinds[s.kind] || s.kind), h("td.right.figure", { "data-label": T.height }, `${number(s.height, s.height % 1 ? 1 : 0)} m`),
        h("td", { "data-label": T.since }, day(s.since)), h("td.chips", { "data-label": T.hosted }, h("span", {}, s.tenants.map(chip))))))) : h("p.empty", {}, T.nothing));
  };
  draw();
  return [h("div.title", {}, h("div", {}, h("h1", {}, T.sites), h("p", {}, T.subtitle(number(state.summary.sites), number(state.summary.tenants)))),
    h("input.search", { type: "search", placeholder: T.search, "aria-label": T.search, value: state.query, input: event => { state.query = event.target.value; draw(); } })), h("section.card", {}, list)];
}

function ordersPage() {
  const rate = state.config.vat_rate;
  const site = h("select", { name: "site", id: "site" }, state.sites.map(s => h("option", { value: s.id }, `${s.town} · ${s.name}`)));
  const tenant = h("select", { name: "tenant", id: "tenant" });
  const work = h("select", { name: "kind", id: "kind" }, Object.entries(T.works).map(([key, text]) => h("option", { value: key }, text)));
  const net = h("input", { name: "net", id: "net", type: "number", min: "1", max: "10000000", step: "0.01", required: true, value: "1200", inputmode: "decimal" });
  const note = h("input", { name: "note", id: "note", maxlength: "400", placeholder: T.optional });
  const vat = h("b.figure"), gross = h("b.figure.total");
  const choose = () => tenant.replaceChildren(...(state.sites.find(s => s.id === Number(site.value))?.tenants || []).map(t => h("option", { value: t.id }, t.name)));
  const compute = () => {
    const value = Math.round((Number(net.value) || 0) * 100) / 100, tax = Math.round(value * rate + Number.EPSILON) / 100;
    vat.textContent = money(tax);
    gross.textContent = money(value + tax);
  };
  const field = (label, input) => h("label", { for: input.id }, h("span", {}, label), input);
  site.addEventListener("change", choose);
  net.addEventListener("input", compute);
  choose();
  compute();
  const button = h("button.button", { type: "submit" }, T.send);
  const form = h("form.card.order", { submit: async event => {
    event.preventDefault();
    button.disabled = true;
    try {
      const made = await ask("/api/orders", { method: "POST", body: JSON.stringify({ site: Number(site.value), tenant: Number(tenant.value), kind: work.value, net: net.value, note: note.value }) });
      toast(T.sent(made.number));
      note.value = "";
      await load();
      refresh(true);
      hurry();
    } catch (error) {
      toast(error.message, "bad");
    } finally {
      button.disabled = false;
    }
  } }, h("h2", {}, T.neworder), field(T.site, site), field(T.tenant, tenant), field(T.work, work), field(T.net, net), field(T.note, note),
  h("div.sum", {}, h("span", {}, `${T.vat} ${percent(rate)}`), vat, h("span", {}, T.gross), gross), button);
  return [h("div.title", {}, h("div", {}, h("h1", {}, T.orders), h("p", { id: "count" }, T.k_open_note(number(state.summary.orders))))),
    h("div.columns.wide", {}, h("section.card", { id: "orders" }, orderRows(state.orders)), form)];
}

function invoicesPage() {
  const list = state.invoices;
  return [h("div.title", {}, h("div", {}, h("h1", {}, T.invoices), h("p", {}, T.inv_lead))),
    h("section.card", {}, list.length ? h("div.scroll", {}, h("table", {}, h("thead", {}, h("tr", {}, [T.invoice, T.number, T.buyer, T.date].map(text => h("th", {}, text)), h("th.right", {}, T.gross), h("th", {}, ""))),
      h("tbody", {}, list.map(i => h("tr", {}, h("td", { "data-label": T.invoice }, h("b", {}, i.number)), h("td", { "data-label": T.number }, i.order), h("td", { "data-label": T.buyer }, i.tenant), h("td", { "data-label": T.date }, day(i.created)),
        h("td.right.figure", { "data-label": T.gross }, money(i.gross)), h("td", {}, h("a.link", { href: `/api/einvoice/${i.number}.xml`, download: `${i.number}.xml` }, T.download))))))) : h("p.empty", {}, T.noinvoices))];
}

// --- the frame ---------------------------------------------------------------------------------------------------
const PAGES = { "": ["overview", overview], sites: ["sites", sites], orders: ["orders", ordersPage], invoices: ["invoices", invoicesPage] };
const here = () => { const name = location.hash.replace(/^#\/?/, ""); return PAGES[name] ? name : ""; };

function frame() {
  const c = state.config;
  T = TEXTS[c.language] || TEXTS.fr;
  document.documentElement.lang = c.language;
  document.documentElement.dataset.country = c.country;
  document.documentElement.dataset.environment = c.environment;
  const environment = T[c.environment] || c.environment;
  document.title = `TOTEM ${T.countries[c.country] || c.country}${c.environment === "production" ? "" : ` · ${environment}`}`;
  $("country").textContent = T.countries[c.country] || c.country;
  $("badge").textContent = environment;
  $("badge").hidden = false;
  $("stripe").hidden = c.environment !== "integration";
  $("stripe").textContent = T.stripe;
  $("theme").setAttribute("aria-label", T.theme);
  $("theme").title = T.theme;
  $("nav").replaceChildren(...Object.entries(PAGES).filter(([name]) => name !== "invoices" || c.features.einvoice)
    .map(([name, [text]]) => h("a", { href: `#/${name}`, "aria-current": here() === name ? "page" : false }, T[text])));
  $("footer").replaceChildren(h("div", {}, h("b", {}, c.company), h("p", {}, h("span", {}, `${T.legal}. `), c.legal_notice)),
    h("dl", {}, h("dt", {}, T.release), h("dd.figure", {}, c.release), h("dt", {}, T.instance), h("dd", {}, c.instance), h("dt", {}, T.vat), h("dd.figure", {}, percent(c.vat_rate))));
}

/** Draws the page; while somebody is typing on it, only what cannot disturb. */
function refresh(gently) {
  frame();
  if (gently && here() === "orders" && $("orders")) {
    $("count").textContent = T.k_open_note(number(state.summary.orders));
    return $("orders").replaceChildren(orderRows(state.orders));
  }
  if (gently && here() === "sites") return;
  $("main").replaceChildren(...PAGES[here()][1]().filter(Boolean));
}

async function load() {
  const [config, summary, sites, orders] = await Promise.all(["config", "summary", "sites", "orders"].map(name => ask(`/api/${name}`)));
  const invoices = config.features.einvoice ? await ask("/api/einvoice") : [];
  const before = state.config;
  Object.assign(state, { config, summary, sites, orders, invoices });
  return before;
}

let timer, seen = "";
async function tick() {
  clearTimeout(timer);
  try {
    const before = await load();
    if (state.away) toast(TEXTS[state.config.language]?.back || "", "good");
    state.away = false;
    const now = JSON.stringify([state.config, state.summary, state.orders, state.invoices]);
    const moved = !before || JSON.stringify([before.release, before.language, before.features, before.vat_rate]) !== JSON.stringify([state.config.release, state.config.language, state.config.features, state.config.vat_rate]);
    if (now !== seen) refresh(!moved);
    if (before && before.release !== state.config.release) toast(T.updated(state.config.release));
    seen = now;
  } catch (error) {
    state.away = true;
    toast(T.away, "bad", true);
  }
  timer = setTimeout(tick, state.away || state.orders.some(o => o.status !== "done") ? 1000 : 5000);
}
const hurry = () => { clearTimeout(timer); timer = setTimeout(tick, 400); };

$("theme").addEventListener("click", () => {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  localStorage.setItem("theme", root.dataset.theme);
});
document.documentElement.dataset.theme = localStorage.getItem("theme") || "";
addEventListener("hashchange", () => { if (state.config) { refresh(false); scrollTo(0, 0); $("main").focus({ preventScroll: true }); } });
document.addEventListener("visibilitychange", () => { if (!document.hidden) tick(); });
tick();
