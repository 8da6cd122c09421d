// What the tutorial's app does: greets its first argument with figlet, keeps the greeting as the
// result and declares it in computed.json.
const { writeFileSync } = require('fs');
const { join } = require('path');
const { textSync } = require('figlet');

const out = process.env.IEXEC_OUT;
const greeting = textSync(`Hello, ${process.argv[2] ?? 'World'}!`);
const result = join(out, 'result.txt');

console.log(greeting);
writeFileSync(result, greeting);
writeFileSync(join(out, 'computed.json'), JSON.stringify({ 'deterministic-output-path': result }));
