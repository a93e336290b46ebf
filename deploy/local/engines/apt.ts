import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
/** Debian's keys, with which apt checks what it fetches. */
export const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg';
/** The first of Debian's suites that has the engine. The newest stable one lacks DocumentDB still. */
const suites = ['forky', 'sid'];

/**
 * Fetches the package and all that it depends on, as if for an empty system, into `archives`. `dir` keeps the lists of packages, so that
 * the next root need not fetch them again.
 */
export async function download(
  dir: string,
  archives: string,
  wanted: string | RegExp,
  progress: (line: string) => void,
): Promise<void> {
  for (const part of ['state', 'lists/partial', 'cache']) await mkdir(path.join(dir, part), { recursive: true });
  await mkdir(path.join(archives, 'partial'), { recursive: true });
  await writeFile(path.join(dir, 'status'), '');
  // The machine's own settings stay in force (a proxy, say) except for those below; hooks of other programs are cleared.
  const config = path.join(dir, 'apt.conf');
  await writeFile(
    config,
    `#clear APT::Update;
#clear DPkg::Pre-Invoke;
#clear DPkg::Post-Invoke;
#clear DPkg::Pre-Install-Pkgs;
#clear Acquire::IndexTargets::deb::DEP-11;
#clear Acquire::IndexTargets::deb::CNF;
#clear APT::Architectures;
#clear Acquire::GzipIndexes;
Dir::Etc::sourcelist "${dir}/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::State "${dir}/state";
Dir::State::lists "${dir}/lists";
Dir::State::status "${dir}/status";
Dir::Cache "${dir}/cache";
Dir::Cache::archives "${archives}";
APT::Install-Recommends "false";
APT::Install-Suggests "false";
APT::Default-Release "";
APT::Sandbox::User "";
APT::Update::Error-Mode "any";
Acquire::Languages "none";
Acquire::Retries "2";
Acquire::http::Timeout "30";
`,
  );
  const apt = async (command: string, ...args: string[]) => {
    try {
      return await run(command, ['-c', config, '-q', ...args], {
        maxBuffer: 64 * 1024 * 1024,
        env: { ...process.env, LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive' },
      });
    } catch (error) {
      throw new Error(`${command} ${args[0]}: ${complaintIn(error)}`);
    }
  };

  let failure = `Debian (${suites.join(', ')}) has no package ${wanted}`;
  for (const [mirror, suite] of await sources()) {
    progress(`reading Debian's list of packages (${suite}, ${mirror})`);
    await writeFile(path.join(dir, 'sources.list'), `deb [signed-by=${keyring}] ${mirror} ${suite} main\n`);
    try {
      await apt('apt-get', 'update');
      const name = await newest(wanted, apt);
      if (name === undefined) continue;
      const plan = await apt('apt-get', 'install', '--download-only', '--print-uris', '-y', name);
      const uris = plan.stdout.split('\n').filter((line) => line.startsWith("'"));
      const bytes = uris.reduce((sum, line) => sum + Number(line.split(' ')[2] ?? 0), 0);
      progress(`fetching ${name}: ${uris.length} packages, ${Math.ceil(bytes / 1e6)} MB`);
      await apt('apt-get', 'install', '--download-only', '-y', name);
      return;
    } catch (error) {
      // A mirror that has not everything, or a suite in which a package waits for another one just now.
      failure = error instanceof Error ? error.message : String(error);
    }
  }
  throw new Error(failure);
}

/** The errors among what apt said. */
function complaintIn(error: unknown): string {
  const said = String(Object(error).stderr ?? '');
  const errors = said.split('\n').filter((line) => line.startsWith('E: '));
  return errors.slice(0, 3).join('; ') || said.trim() || String(error);
}

async function newest(
  wanted: string | RegExp,
  apt: (command: string, ...args: string[]) => Promise<{ stdout: string }>,
): Promise<string | undefined> {
  const { stdout } = await apt('apt-cache', 'pkgnames');
  const names = stdout.split('\n').filter((name) => (typeof wanted === 'string' ? name === wanted : wanted.test(name)));
  const number = (name: string) => Number(/\d+/.exec(name)?.[0] ?? 0);
  return names.sort((a, b) => number(b) - number(a))[0];
}

/** Mirrors and suites in the order in which they are tried: what this machine itself uses goes before Debian's own mirror. */
async function sources(): Promise<[mirror: string, suite: string][]> {
  const format = ['--format', '$(SITE)|$(ORIGIN)', 'Created-By: Packages'];
  const { stdout } = await run('apt-get', ['indextargets', ...format]).catch(() => ({ stdout: '' }));
  const sites = stdout.split('\n').map((line) => line.split('|'));
  const site = sites.find(
    ([url, origin]) => origin === 'Debian' && /^https?:/.test(url ?? '') && !url?.includes('security'),
  )?.[0];
  const mirrors = new Set([...(site ? [site] : []), 'http://deb.debian.org/debian']);
  return suites.flatMap((suite) => [...mirrors].map((mirror): [string, string] => [mirror, suite]));
}
