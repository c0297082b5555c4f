// Drives the simulated hub with the official client; one JSON line per result.
// The model carries the prefix `aignehub/`: without it the class leaves the hub out and speaks plain OpenAI.
import { AIGNEHubImageModel } from "@aigne/aigne-hub";

const [origin, key] = process.argv.slice(2);
const say = (name, value) => process.stdout.write(`${JSON.stringify({ name, ...value })}\n`);
const model = (apiKey) =>
  new AIGNEHubImageModel({ baseURL: `${origin}/`, apiKey, model: "aignehub/openai/gpt-image-2" });

const attempt = async (name, apiKey, input) => {
  try {
    const result = await model(apiKey).invoke(input);
    say(name, { images: result.images, usage: result.usage, model: result.model });
  } catch (error) {
    say(name, { error: String(error.message ?? error) });
  }
};

const prompt = "A brass desk lamp on white";
await attempt("url", key, { prompt, n: 1, size: "1024x1024", outputFileType: "url" });
await attempt("file", key, { prompt, n: 2, size: "512x512", outputFileType: "file" });
const source = Buffer.from(process.env.SOURCE_PNG ?? "", "base64").toString("base64");
await attempt("edit", key, {
  prompt: "the same lamp at night",
  image: [{ type: "file", data: source, mimeType: "image/png", filename: "source.png" }],
  outputFileType: "file",
});
await attempt("bad key", "bad-key", { prompt });
await attempt("no credit", "no-credit", { prompt });
await attempt("blocked", key, { prompt: "something [blocked]" });
try {
  const models = await model(key).models();
  say("models", { count: models.length, first: models[0] });
} catch (error) {
  say("models", { error: String(error.message ?? error) });
}
process.exit(0);
