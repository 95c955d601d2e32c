"""TF.js: graph models, which run in browsers and in Node.

    support     what TF.js has of TensorFlow's ops
    rules       forms that are not TensorFlow's
    write       model.json and files of weights
    readback    TF.js in Node, by `runner.js`
    target      the folder `tfjs`
    web, page   the folder with a page that runs it, by `page.html`

Functions of TensorFlow are made by `targets.graphdef`.
"""
