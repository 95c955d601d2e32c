// Runs models of graphs and of layers in Node: one request a line of the input, one answer a line.
// {"path": folder or file, "inputs": {name: {dtype, shape, data}}}, data in base64.
const fs = require('fs');
const path = require('path');
const readline = require('readline');
const tf = require('@tensorflow/tfjs');

const KINDS = {float32: Float32Array, int32: Int32Array, bool: Uint8Array};
const models = new Map();

function artifacts(place) {
  if (fs.existsSync(path.join(place, 'model.js'))) {  // a page's: one assignment of JSON
    const text = fs.readFileSync(path.join(place, 'model.js'), 'utf8');
    const model = JSON.parse(text.slice(text.indexOf('=') + 1).replace(/;\s*$/, ''));
    const data = Buffer.from(model.weightData, 'base64');
    return {...model, weightData: new Uint8Array(data).buffer};
  }
  const model = JSON.parse(fs.readFileSync(path.join(place, 'model.json'), 'utf8'));
  const specs = [];
  const parts = [];
  for (const group of model.weightsManifest) {
    specs.push(...group.weights);
    for (const file of group.paths) parts.push(fs.readFileSync(path.join(place, file)));
  }
  return {...model, weightSpecs: specs, weightData: new Uint8Array(Buffer.concat(parts)).buffer};
}

async function load(place) {
  if (!models.has(place)) {
    const found = artifacts(place);
    const isLayers = found.format === 'layers-model';
    const open = isLayers ? tf.loadLayersModel : tf.loadGraphModel;
    models.set(place, [await open({load: async () => found}), found.signature]);
  }
  return models.get(place);
}

async function answer(request) {
  if (request.forget) {
    const known = models.get(request.path);
    if (known) known[0].dispose();
    models.delete(request.path);
    return {};
  }
  const [model, signature] = await load(request.path);
  if (!request.inputs) return {};
  if (!signature) return answerOfLayers(model, Object.values(request.inputs));
  const given = {};
  for (const [name, {dtype, shape, data}] of Object.entries(request.inputs)) {
    given[signature.inputs[name].name] = tensorOf(dtype, shape, data);
  }
  const names = Object.values(signature.outputs).map(o => o.name);
  const found = await model.executeAsync(given, names);
  const outputs = await contents(found);
  tf.dispose([given, found]);
  return {outputs};
}

async function answerOfLayers(model, inputs) {
  const given = inputs.map(({dtype, shape, data}) => tensorOf(dtype, shape, data));
  const found = model.predict(given.length === 1 ? given[0] : given);
  const outputs = await contents(found);
  tf.dispose([given, found]);
  return {outputs};
}

function tensorOf(dtype, shape, data) {
  const bytes = new Uint8Array(Buffer.from(data, 'base64'));
  return tf.tensor(new KINDS[dtype](bytes.buffer), shape, dtype);
}

async function contents(found) {
  const outputs = [];
  for (const tensor of Array.isArray(found) ? found : [found]) {
    // A cast to another dtype may have left the array of the old one.
    const values = new KINDS[tensor.dtype](await tensor.data());
    const bytes = Buffer.from(values.buffer);
    outputs.push({dtype: tensor.dtype, shape: tensor.shape, data: bytes.toString('base64')});
  }
  return outputs;
}

// What libraries say must not come between the answers.
console.log = console.info = console.warn = console.error;

(async () => {
  await tf.setBackend('cpu');
  for await (const line of readline.createInterface({input: process.stdin})) {
    let said;
    try {
      said = await answer(JSON.parse(line));
    } catch (error) {
      said = {error: String(error && error.message || error), stack: String(error.stack)};
    }
    process.stdout.write(JSON.stringify(said) + '\n');
  }
})();
