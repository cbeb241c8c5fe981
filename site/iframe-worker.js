// A Worker for pages opened from disk, where browsers allow none, so that search works there too:
// the script runs in a hidden frame, whose postMessage leads back here. The theme looks for both names.
if (location.protocol === "file:") {
  window.IFrameWorker = window.Worker = class extends EventTarget {
    constructor(url) {
      super()
      this.frame = document.createElement("iframe")
      this.frame.hidden = true
      this.frame.srcdoc = "<!doctype html><title>worker</title>"
      this.ready = new Promise((resolve, reject) => {
        this.frame.addEventListener("load", () => {
          const inner = this.frame.contentWindow
          inner.postMessage = data => this.dispatchEvent(new MessageEvent("message", { data }))
          const script = inner.document.createElement("script")
          script.addEventListener("load", () => resolve(inner))
          script.addEventListener("error", () => reject(new Error(`${url} cannot be read`)))
          script.src = new URL(url, document.baseURI)
          inner.document.head.append(script)
        }, { once: true })
      })
      document.body.append(this.frame)
    }

    postMessage(data) {
      this.ready.then(inner => inner.dispatchEvent(new MessageEvent("message", { data })))
    }

    terminate() {
      this.frame.remove()
    }
  }
}
