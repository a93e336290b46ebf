/**
 * What a newcomer sees when the stack is up: where it is, and three commands for a POSIX shell with curl, to be run
 * one after the other. Running them again works as well.
 */
export function firstSteps(url: string): string {
  const account = '{"username":"ada","email":"ada@example.org","password":"correct horse battery staple"}';
  const login = '{"login":"ada","password":"correct horse battery staple"}';
  const json = "-H 'content-type: application/json'";
  return `
Coffer is running.

  URL   ${url}
  Docs  ${url}/docs
  Plans ${url}/pay

Try it from another terminal:

1. Make an account and log in
curl -sS -o /dev/null ${url}/v1/accounts ${json} -d '${account}'; TOKEN=$(curl -sS ${url}/v1/sessions ${json} -d '${login}' | sed 's/.*"accessToken":"\\([^"]*\\)".*/\\1/')

2. Upload a file
echo 'Hello from Coffer' | curl -sS -T - -H "authorization: Bearer $TOKEN" -H 'content-type: text/plain' ${url}/v1/files/notes/hello.txt; echo

3. Download it
curl -sS -H "authorization: Bearer $TOKEN" ${url}/v1/files/notes/hello.txt
`;
}

/** Where mails are, while no mail server is named. */
export function mailNote(mailDir: string): string {
  return `Mails are written to ${mailDir}; with SMTP_URL=smtp://user:password@host:port they are sent.\n`;
}

/** Shown once: only a hash of the password is kept. */
export function operatorNote(username: string, password: string): string {
  return `
The operator's account, made now and shown only this once:

  username  ${username}
  password  ${password}
`;
}
