/* Pixels of the pictures: one plane of them, their difference to HR, and where detail is lost. */
(() => {
  const LUMA = [65.481 / 255, 128.553 / 255, 24.966 / 255]; // BT.601, from 16 on
  const GAIN = 4;

  const decoded = new Map();
  const decode = (layer) => {
    if (!decoded.has(layer)) {
      decoded.set(layer, new Promise((resolve, reject) => {
        const image = new Image();
        image.onload = () => resolve(image);
        image.onerror = () => reject(new Error(`the picture of ${layer.label} does not load`));
        image.src = layer.src;
      }));
    }
    return decoded.get(layer);
  };

  const canvasOf = (image, width, height) => {
    const canvas = document.createElement("canvas");
    canvas.width = width;
    canvas.height = height;
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.imageSmoothingEnabled = false; // LR as nearest neighbours
    context.drawImage(image, 0, 0, width, height);
    return { canvas, context };
  };

  /* The pixels of a layer as they are packed; LR's have its own size. */
  const read = new Map();
  const pixelsOf = (layer) => {
    if (!read.has(layer)) {
      if (read.size > 12) read.delete(read.keys().next().value);
      read.set(layer, decode(layer).then((image) => {
        const { naturalWidth: width, naturalHeight: height } = image;
        return canvasOf(image, width, height).context.getImageData(0, 0, width, height);
      }));
    }
    return read.get(layer);
  };

  const channel = (data, at, plane) => {
    if (plane === "y") return 16 + LUMA[0] * data[at] + LUMA[1] * data[at + 1] + LUMA[2] * data[at + 2];
    return data[at + { r: 0, g: 1, b: 2 }[plane]];
  };

  const onePlane = ({ context, canvas }, plane) => {
    const pixels = context.getImageData(0, 0, canvas.width, canvas.height);
    for (let at = 0; at < pixels.data.length; at += 4) pixels.data.fill(Math.round(channel(pixels.data, at, plane)), at, at + 3);
    context.putImageData(pixels, 0, 0);
  };

  /* Grey where equal, lighter and darker where SR lies above and below HR. */
  const difference = ({ context, canvas }, hr, plane) => {
    const pixels = context.getImageData(0, 0, canvas.width, canvas.height);
    const target = hr.context.getImageData(0, 0, canvas.width, canvas.height).data;
    for (let at = 0; at < pixels.data.length; at += 4) {
      if (plane === "colour") {
        for (let one = at; one < at + 3; one += 1) pixels.data[one] = 128 + GAIN * (pixels.data[one] - target[one]);
      } else {
        pixels.data.fill(128 + GAIN * (channel(pixels.data, at, plane) - channel(target, at, plane)), at, at + 3);
      }
    }
    context.putImageData(pixels, 0, 0);
  };

  /* From blue (nothing recovered) to yellow (all of it), which everybody can tell apart. */
  const shade = (share) => `rgba(${Math.round(20 + 235 * share)}, ${Math.round(60 + 160 * share)}, ${Math.round(200 * (1 - share))}, 0.55)`;
  const lost = ({ context }, map, plane) => {
    const values = map?.gain?.[plane] ?? map?.gain?.y ?? Object.values(map?.gain ?? {})[0];
    if (!values) return;
    const margin = (map.window - map.stride) / 2;
    for (let row = 0; row < map.rows; row += 1) {
      for (let column = 0; column < map.columns; column += 1) {
        const share = values[row * map.columns + column];
        if (share === null) continue;
        context.fillStyle = shade(share);
        context.fillRect(map.left + column * map.stride + margin, map.top + row * map.stride + margin, map.stride, map.stride);
      }
    }
  };

  /* PSNR in dB of a window of a layer, as scores take it, with no border left out: Infinity where it is HR. */
  page.psnr = async (view, layer, plane, { left, top, width, height }) => {
    const [sr, hr] = (await Promise.all([layer, view.layers[0]].map(pixelsOf))).map((one) => one.data);
    let sum = 0;
    for (let row = top; row < top + height; row += 1) {
      const end = (row * view.width + left + width) * 4;
      for (let at = (row * view.width + left) * 4; at < end; at += 4) {
        const off = channel(sr, at, plane) - channel(hr, at, plane);
        sum += off * off;
      }
    }
    return 10 * Math.log10((255 * 255 * width * height) / sum);
  };

  const made = new Map();
  /* A canvas of HR's size: the layer as it is to be shown. */
  page.painted = async (view, layer, plane, overlay) => {
    const wanted = layer.planes.includes(plane) ? plane : layer.planes.length === 1 ? layer.planes[0] : "colour";
    const key = [view.title, layer.label, layer.run, wanted, overlay].join("\n");
    if (made.has(key)) return made.get(key);
    const picture = canvasOf(await decode(layer), view.width, view.height);
    if (overlay === "difference" && layer !== view.layers[0]) {
      difference(picture, canvasOf(await decode(view.layers[0]), view.width, view.height), wanted);
    } else if (wanted !== "colour") {
      onePlane(picture, wanted);
    }
    if (overlay === "detail" && layer.detail) lost(picture, layer.detail, plane === "colour" ? "y" : plane);
    if (made.size > 40) made.delete(made.keys().next().value);
    made.set(key, picture.canvas);
    return picture.canvas;
  };
})();
