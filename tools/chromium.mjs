// A real Chromium without any system package: @sparticuz/chromium carries one in its npm tarball, packed with
// brotli, together with the NSS libraries, a software renderer and a font. It is unpacked once per machine.
import { execFileSync, spawnSync } from 'node:child_process'
import { createReadStream, createWriteStream, existsSync } from 'node:fs'
import { chmodSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import os from 'node:os'
import path from 'node:path'
import { pipeline } from 'node:stream/promises'
import { brotliDecompressSync, createBrotliDecompress } from 'node:zlib'

const require = createRequire(import.meta.url)

// Not the arguments that the package offers: those are for one process and switch web security off.
const args = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/**
 * CHROMIUM_PATH, else the system's Chromium, else the one from npm.
 * @returns {Promise<{ executablePath: string, env: Record<string, string>, args: string[] }>}
 */
export async function chromium() {
  const system = [process.env.CHROMIUM_PATH, '/usr/bin/chromium', '/usr/bin/google-chrome']
  const present = system.find(file => file !== undefined && existsSync(file))
  if (present !== undefined) return { executablePath: present, env: { ...process.env }, args }

  const folder = await unpack()
  const executablePath = path.join(folder, 'chromium')
  return { executablePath, env: environment(folder, executablePath), args }
}

/** Unpacks the package into the temporary folder, unless that was done before, and returns where. */
async function unpack() {
  const packed = path.resolve(path.dirname(require.resolve('@sparticuz/chromium')), '../bin')
  const { version } = JSON.parse(readFileSync(path.join(packed, '../package.json'), 'utf8'))
  const folder = path.join(os.tmpdir(), `chromium-${version}-${process.getuid?.() ?? 0}`)
  if (existsSync(path.join(folder, 'chromium'))) return folder

  // Into a folder of our own first, so that nobody ever sees half a browser.
  const fresh = mkdtempSync(`${folder}.`)
  await pipeline(
    createReadStream(path.join(packed, 'chromium.br')),
    createBrotliDecompress(),
    createWriteStream(path.join(fresh, 'chromium'), { mode: 0o755 }),
  )
  for (const archive of ['al2023.tar.br', 'swiftshader.tar.br', 'fonts.tar.br']) {
    const tar = brotliDecompressSync(readFileSync(path.join(packed, archive)))
    execFileSync('tar', ['-x', '-C', fresh], { input: tar })
  }
  writeFileSync(path.join(fresh, 'fonts.conf'), fontsConf(folder))
  chmodSync(fresh, 0o755)
  try {
    renameSync(fresh, folder)
  } catch (error) {
    rmSync(fresh, { recursive: true })
    // Another process was first, which is fine.
    if (!existsSync(path.join(folder, 'chromium'))) throw error
  }
  return folder
}

/** What the browser needs on a machine without libraries and fonts. */
function environment(folder, executablePath) {
  const env = { ...process.env }
  const trial = spawnSync(executablePath, ['--version'], { encoding: 'utf8' })
  if (trial.stderr?.includes('error while loading shared libraries')) {
    const libraries = [path.join(folder, 'lib'), env.LD_LIBRARY_PATH]
    env.LD_LIBRARY_PATH = libraries.filter(Boolean).join(':')
  }
  // Without a font, text is 0 px wide and Playwright calls the elements invisible.
  if (!existsSync('/usr/share/fonts')) env.FONTCONFIG_FILE = path.join(folder, 'fonts.conf')
  return env
}

/** The package's own fonts.conf names folders that exist only on AWS Lambda. */
function fontsConf(folder) {
  return `<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir>${folder}/fonts</dir><cachedir>${folder}/fonts-cache</cachedir></fontconfig>
`
}
