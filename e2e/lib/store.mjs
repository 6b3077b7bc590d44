// Trouble for the daemon's store, made from outside with the sqlite3 module of Python (Node 20 has none of its own).
import { execFileSync, spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

const databaseOf = (dataDir) => join(dataDir, readdirSync(dataDir).find((name) => /\.(db|sqlite3?)$/.test(name)));

// From now on no dismissal can be written or read.
export function spoilStore(dataDir) {
  execFileSync('python3', ['-c', `
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], timeout=10)
db.execute('ALTER TABLE dismissals RENAME TO gone')
db.commit()`, databaseOf(dataDir)]);
}

// Holds the write lock; yields what gives it back.
export async function lockStore(dataDir) {
  const holder = spawn('python3', ['-u', '-c', `
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], timeout=10, isolation_level=None)
db.execute('BEGIN EXCLUSIVE')
print('locked')
sys.stdin.read()`, databaseOf(dataDir)], { stdio: ['pipe', 'pipe', 'inherit'] });
  await new Promise((resolve, reject) => { holder.stdout.once('data', resolve); holder.once('exit', reject); });
  return () => holder.stdin.end();
}
