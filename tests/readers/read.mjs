// Reads the files with JavaScript's readers, and compares with what they must say: node read.mjs FOLDER
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { tableFromIPC } from 'apache-arrow';
import { XMLParser } from 'fast-xml-parser';
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } from 'hyparquet';
import ICAL from 'ical.js';
import Papa from 'papaparse';
import { readParquet } from 'parquet-wasm';

const folder = process.argv[2];
const text = (name) => readFileSync(`${folder}/${name}`, 'utf8');
const NAMES = ['Zoë, 赛', 'Ann <&> “Q”', 'Eve', null];
const IDS = ['4', '1', '9007199254740993', '3'];
const SCORES = [99999999.99, 912.5, 0.01, -12.05];

for (const name of ['archive.parquet', 'table.parquet']) {
  const file = await asyncBufferFromFile(`${folder}/${name}`);
  const rows = await parquetReadObjects({ file });
  const ranked = rows.filter((row) => row.rank != null);
  assert.deepEqual(ranked.map((row) => String(row.user_id)), IDS); // bigint: none is rounded
  assert.deepEqual(ranked.map((row) => row.score), SCORES);
  assert.deepEqual(ranked.map((row) => row.name ?? null), NAMES);
  assert.equal(ranked[1].scored_at.toISOString(), '2027-01-15T08:01:00.000Z');
  const told = (await parquetMetadataAsync(file)).key_value_metadata.find(({ key }) => key === 'palio');
  assert.equal(JSON.parse(told.value).name, 'Frühling; Finale, \\ 2027');
  if (name === 'archive.parquet') {
    assert.deepEqual(rows.filter((row) => row.disqualified).map((row) => row.name), ['=1+1']);
    assert.deepEqual(rows.map((row) => (row.prizes ?? []).map((prize) => prize.amount)), [['100.01'], ['100.01'], [], [], []]);
  }
  console.log(`hyparquet: ${name} as it must be`);
}

// apache-arrow reads no Parquet: parquet-wasm brings it the columns. Its decimals are the unscaled integers.
const arrow = tableFromIPC(readParquet(readFileSync(`${folder}/table.parquet`)).intoIPCStream());
const unscaled = [...arrow.getChild('score')].map((value) => BigInt.asIntN(64, new BigInt64Array(value.buffer, value.byteOffset, 1)[0]));
assert.deepEqual(unscaled, SCORES.map((score) => BigInt(Math.round(score * 100))));
console.log(`apache-arrow: shows ${arrow.getChild('score').get(1)} for 912.50`);

const csv = Papa.parse(text('table.csv').trimEnd(), { header: true });
assert.deepEqual(csv.errors, []);
assert.deepEqual(csv.data.map((row) => row.score), SCORES.map((score) => score.toFixed(2)));
assert.deepEqual(csv.data.map((row) => row.name || null), NAMES);
for (const [name, column] of [['moodle.csv', 'ID number'], ['canvas.csv', 'SIS User ID']]) {
  const book = Papa.parse(text(name).trimEnd(), { header: true });
  assert.deepEqual(book.errors, []);
  assert.deepEqual(book.data.map((row) => row[column]).filter(Boolean), IDS);
}
console.log('papaparse: table.csv, moodle.csv, canvas.csv as they must be');

const xml = new XMLParser({ ignoreAttributes: false, parseTagValue: false }).parse(text('iof.xml'));
const people = xml.ResultList.ClassResult.PersonResult;
assert.deepEqual(people.map(({ Result }) => Number(Result.Time)), SCORES);
assert.equal(people[1].Person.Name.Family, NAMES[1]);
console.log('fast-xml-parser: iof.xml as it must be');

assert.deepEqual(JSON.parse(text('ctftime.json')).standings.map(({ score }) => score), SCORES);
const event = new ICAL.Event(new ICAL.Component(ICAL.parse(text('tournaments.ics'))).getFirstSubcomponent('vevent'));
assert.equal(event.summary, 'Frühling; Finale, \\ 2027');
assert.equal(event.startDate.toJSDate().toISOString(), '2027-01-15T08:00:00.000Z');
console.log('ical.js: tournaments.ics as it must be');
