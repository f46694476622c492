// A client that knows OAuth and nothing of Doorward: what it finds by discovery, it uses.
import * as oauth from "oauth4webapi";

const [issuer, id, secret] = process.argv.slice(2);
const insecure = { [oauth.allowInsecureRequests]: true };
const url = new URL(issuer);
const found = await oauth.discoveryRequest(url, { algorithm: "oauth2", ...insecure });
const server = await oauth.processDiscoveryResponse(url, found);
const client = { client_id: id };
const auth = oauth.ClientSecretBasic(secret);

const say = (what, value) => console.log(JSON.stringify({ [what]: value }));
const own = async (more = {}) => {
  const asked = await oauth.clientCredentialsGrantRequest(server, client, auth, {}, { ...insecure, ...more });
  return oauth.processClientCredentialsResponse(server, client, asked);
};
const active = async (token) => {
  const asked = await oauth.introspectionRequest(server, client, auth, token, insecure);
  return (await oauth.processIntrospectionResponse(server, client, asked)).active;
};

const token = await own();
say("own", token.token_type);
say("active", await active(token.access_token));
await oauth.processRevocationResponse(await oauth.revocationRequest(server, client, auth, token.access_token, insecure));
say("revoked", await active(token.access_token));

// Bound to a key: the first answer asks for its nonce, as RFC 9449 has it, and the library shows it then.
const DPoP = oauth.DPoP(client, await oauth.generateKeyPair("ES256"));
let wanted = false;
const bound = await own({ DPoP }).catch((error) => {
  wanted = oauth.isDPoPNonceError(error);
  return own({ DPoP });
});
say("bound", [bound.token_type, wanted]);
const feed = new URL("/api/v1/revocations?after=0", issuer);
const ask = () => oauth.protectedResourceRequest(bound.access_token, "GET", feed, undefined, undefined, { DPoP, ...insecure });
say("feed", (await ask().catch(ask)).status);

// The code flow: what a browser would come back with stands on the first line of the input.
const verifier = oauth.generateRandomCodeVerifier();
const state = oauth.generateRandomState();
const callback = "http://127.0.0.1:9/callback";
const way = new URL(server.authorization_endpoint);
const asked = {
  client_id: id, redirect_uri: callback, response_type: "code", scope: "profile", state,
  code_challenge: await oauth.calculatePKCECodeChallenge(verifier), code_challenge_method: "S256",
};
for (const [name, value] of Object.entries(asked)) way.searchParams.set(name, value);
say("way", way.pathname + way.search);
const back = await new Promise((done) => process.stdin.once("data", (bytes) => done(String(bytes).trim())));
const checked = oauth.validateAuthResponse(server, client, new URL(back), state);
const redeemed = await oauth.authorizationCodeGrantRequest(server, client, auth, checked, callback, verifier, insecure);
const tokens = await oauth.processAuthorizationCodeResponse(server, client, redeemed);
say("code", [tokens.token_type, tokens.scope, typeof tokens.refresh_token]);
const renewed = await oauth.refreshTokenGrantRequest(server, client, auth, tokens.refresh_token, insecure);
say("renewed", (await oauth.processRefreshTokenResponse(server, client, renewed)).token_type);
process.exit(0);
