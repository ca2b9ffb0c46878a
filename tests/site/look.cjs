// node look.cjs PAGES SHOTS: exits 1 and says what is wrong when a page of the site is not as it should be.
const fs = require('node:fs');
const path = require('node:path');
const { pathToFileURL } = require('node:url');
const axe = fs.readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
const puppeteer = require('puppeteer-core');

const [pages, shots] = process.argv.slice(2);
const screens = [
  { name: 'desk', width: 1280, height: 900 },
  { name: 'phone', width: 360, height: 740, isMobile: true, hasTouch: true, deviceScaleFactor: 2 },
];

(async () => {
  const browser = await puppeteer.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu'] });
  const wrong = [];
  let looks = 0;
  for (const file of fs.readdirSync(pages).filter((file) => file.endsWith('.html')).sort()) {
    for (const screen of screens) {
      for (const scheme of ['light', 'dark']) {
        const page = await browser.newPage();
        const at = `${file}, ${screen.name}, ${scheme}`;
        const say = (what) => wrong.push(`${at}: ${what}`);
        page.on('console', (message) => message.type() === 'error' && say(`the browser says ${message.text()}`));
        await page.setBypassCSP(true); // axe is a script, and the pages allow none
        await page.setViewport(screen);
        await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
        await page.goto(pathToFileURL(path.join(pages, file)).href);
        looks += 1;
        await page.evaluate(axe);
        const found = await page.evaluate(() => axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }));
        for (const rule of found.violations) {
          for (const node of rule.nodes) say(`${rule.id}: ${rule.help}: ${node.html.slice(0, 120)}`);
        }
        if (found.passes.length < 10) say(`axe looked at next to nothing: ${found.passes.length} rules`);
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
        if (wide > 0) say(`${wide} pixels wider than the screen`);
        await page.keyboard.press('Tab');
        const first = await page.evaluate(() => document.activeElement.getAttribute('href'));
        if (first !== '#content') say(`the first key leads to ${first}, not past the navigation`);
        await page.keyboard.press('Enter');
        const then = await page.evaluate(() => document.activeElement.id);
        if (then !== 'content') say(`the way past the navigation leads to ${then}`);
        const shot = `${path.basename(file, '.html')}-${screen.name}-${scheme}.png`;
        await page.evaluate(() => document.activeElement.blur());
        await page.screenshot({ path: path.join(shots, shot), fullPage: false });
        await page.close();
      }
    }
  }
  await browser.close();
  wrong.forEach((what) => console.error(what));
  console.log(`${looks} looks, ${wrong.length} wrong`);
  process.exit(wrong.length ? 1 : 0);
})().catch((error) => { console.error(error); process.exit(1); });
