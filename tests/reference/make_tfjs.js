// Small layers models that TF.js itself makes and saves, with what they give.
//   NODE_PATH=.../node_modules node tests/reference/make_tfjs.js
// writes tests/reference/files/tfjs/NAME/{model.json, weights.bin, calls.json}.
const fs = require('fs');
const path = require('path');
const tf = require('@tensorflow/tfjs');
const L = tf.layers;

function dense() {
  return tf.sequential({layers: [
    L.dense({units: 5, activation: 'relu', inputShape: [4], kernelInitializer: 'leCunNormal'}),
    L.batchNormalization(),
    L.dropout({rate: 0.5}),
    L.dense({units: 3, activation: 'softmax', kernelRegularizer: tf.regularizers.l2({l2: 0.1})}),
  ]});
}

function pictures() {
  return tf.sequential({layers: [
    L.conv2d({filters: 4, kernelSize: 3, padding: 'same', activation: 'relu6',
      inputShape: [8, 8, 3]}),
    L.depthwiseConv2d({kernelSize: 3, strides: 2}),
    L.batchNormalization(),
    L.separableConv2d({filters: 3, kernelSize: 2}),
    L.maxPooling2d({poolSize: 2}),
    L.flatten(),
    L.dense({units: 2, activation: 'swish'}),
  ]});
}

function steps() {
  return tf.sequential({layers: [
    L.embedding({inputDim: 9, outputDim: 4, inputLength: 6}),
    L.bidirectional({layer: L.lstm({units: 3, returnSequences: true}), mergeMode: 'concat'}),
    L.timeDistributed({layer: L.dense({units: 4})}),
    L.gru({units: 3}),
  ]});
}

function branches() {
  const a = tf.input({shape: [4], name: 'a'});
  const b = tf.input({shape: [4], name: 'b'});
  const shared = L.dense({units: 3, activation: 'tanh', name: 'shared'});
  const [x, y] = [shared.apply(a), shared.apply(b)];
  const z = L.concatenate().apply([L.add().apply([x, y]), L.multiply().apply([x, y])]);
  return tf.model({inputs: [a, b], outputs: [L.dense({units: 2}).apply(z),
    L.layerNormalization().apply(x)]});
}

async function write(name, make) {
  const model = make();
  const folder = path.join(__dirname, 'files', 'tfjs', name);
  fs.mkdirSync(folder, {recursive: true});
  model.setWeights(model.getWeights().map(w => tf.randomUniform(w.shape, 0.1, 1, 'float32', 7)));
  model.compile({optimizer: tf.train.adam(0.01), loss: 'meanSquaredError', metrics: ['accuracy']});
  const inputs = model.inputs.map(t => {
    const shape = [3, ...t.shape.slice(1)];
    return name === 'steps' ? tf.randomUniform(shape, 0, 9, 'int32', 3)
      : tf.randomNormal(shape, 0, 1, 'float32', 5);
  });
  const found = model.predict(inputs.length === 1 ? inputs[0] : inputs);
  const told = t => ({shape: t.shape, values: Array.from(t.dataSync())});
  const calls = {inputs: inputs.map(told),
    outputs: (Array.isArray(found) ? found : [found]).map(told)};
  fs.writeFileSync(path.join(folder, 'calls.json'), JSON.stringify(calls));
  await model.save({save: async a => {
    const manifest = [{paths: ['./weights.bin'], weights: a.weightSpecs}];
    fs.writeFileSync(path.join(folder, 'weights.bin'), Buffer.from(a.weightData));
    fs.writeFileSync(path.join(folder, 'model.json'), JSON.stringify({
      modelTopology: a.modelTopology, format: a.format, generatedBy: a.generatedBy,
      convertedBy: a.convertedBy, weightsManifest: manifest, trainingConfig: a.trainingConfig,
    }));
    return {modelArtifactsInfo: {dateSaved: new Date(), modelTopologyType: 'JSON'}};
  }});
}

(async () => {
  await tf.setBackend('cpu');
  for (const make of [dense, pictures, steps, branches]) await write(make.name, make);
})();
