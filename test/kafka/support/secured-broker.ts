/** A real broker that asks who somebody is: one listener with SASL in the open, one with SASL under TLS, by a certificate of its own. */
import { mkdtemp, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ExecutionContext } from "ava";
import { type Config, loadConfig } from "../../../src/config.ts";
import { lastLines, runCommand } from "../../../src/engines/command.ts";
import { installEngines } from "../../../src/engines/install.ts";
import { installJarSets, jarSetFiles } from "../../../src/engines/jar-sets.ts";
import { startJava } from "../../../src/engines/java.ts";
import { kafkaProperties } from "../../../src/engines/kafka.ts";
import { kafkaAnswers } from "../../../src/engines/kafka-health.ts";
import { freePort } from "../../../src/processes/ports.ts";

/** The broker. Its one user is `app`, by PLAIN and by both kinds of SCRAM. */
export interface SecuredBroker {
  readonly config: Config;
  readonly password: string;
  /** SASL without TLS. */
  readonly open: number;
  /** SASL under TLS. */
  readonly tls: number;
  /** TLS without a login. */
  readonly anonymousTls: number;
  /** The certificate that signs for it, in PEM. */
  readonly ca: string;
  /** Everything that it has logged. */
  log(): Promise<string>;
}

const PASSWORD = 'hunter2 "quoted" back\\slash';
const STORE_PASSWORD = "changeit";

/** Starts it; it goes with the test. */
export async function startSecuredBroker(t: Pick<ExecutionContext, "teardown">): Promise<SecuredBroker> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), "qflow-secured-")));
  t.teardown(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith("QFLOW_") || name === "QFLOW_CACHE");
  const config = loadConfig({ ...Object.fromEntries(own), QFLOW_HOME: join(folder, "home") });
  const installation = await installEngines(config, { note() {} } as never);
  await installJarSets(config, ["kafka", "sparkKafka"], installation, { note() {} } as never);
  const java = (name: string) => join(installation.javaHome, "bin", name);
  const env = { PATH: process.env.PATH ?? "" };
  const must = async (command: string, args: readonly string[]) => {
    const { code, output } = await runCommand(command, [...args], { env, cwd: folder });
    if (code !== 0) throw new Error(`${command}: ${lastLines(output, 5)}`);
    return output;
  };
  const store = ["-keystore", join(folder, "keys.p12"), "-storepass", STORE_PASSWORD, "-alias", "broker"];
  const key = ["-keyalg", "RSA", "-keysize", "2048", "-validity", "2", "-dname", "CN=broker"];
  await must(java("keytool"), ["-genkeypair", ...store, ...key, "-ext", "san=ip:127.0.0.1"]);
  const certificate = join(folder, "ca.pem");
  await must(java("keytool"), ["-exportcert", "-rfc", ...store, "-file", certificate]);

  const ports = { port: await freePort(), controllerPort: await freePort() };
  const [open, tls, anonymousTls] = [await freePort(), await freePort(), await freePort()];
  const jars = jarSetFiles(config, "kafka");
  const options = { folder, ...ports, jars };
  const listeners = `PLAINTEXT://127.0.0.1:${ports.port},OPEN://127.0.0.1:${open},TLS://127.0.0.1:${tls},ANYONE://127.0.0.1:${anonymousTls}`;
  const quoted = `"${PASSWORD.replace(/["\\]/g, "\\$&")}"`;
  const plain = `org.apache.kafka.common.security.plain.PlainLoginModule required user_app=${quoted};`;
  const scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;";
  const settings = {
    listeners: `${listeners},CONTROLLER://127.0.0.1:${ports.controllerPort}`,
    "advertised.listeners": listeners,
    "listener.security.protocol.map":
      "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,OPEN:SASL_PLAINTEXT,TLS:SASL_SSL,ANYONE:SSL",
    "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
    ...Object.fromEntries(
      ["open", "tls"].flatMap((name) => [
        [`listener.name.${name}.plain.sasl.jaas.config`, plain],
        [`listener.name.${name}.scram-sha-256.sasl.jaas.config`, scram],
        [`listener.name.${name}.scram-sha-512.sasl.jaas.config`, scram],
      ]),
    ),
    "ssl.keystore.type": "PKCS12",
    "ssl.keystore.location": join(folder, "keys.p12"),
    "ssl.keystore.password": STORE_PASSWORD,
  };
  const more = Object.entries(settings).map(([name, value]) => `${name}=${value.replaceAll("\\", "\\\\")}\n`);
  const properties = join(folder, "server.properties");
  // Of two lines with one name the later one holds.
  await writeFile(properties, kafkaProperties(options, join(folder, "data")) + more.join(""));
  const users = ["SCRAM-SHA-256", "SCRAM-SHA-512"].flatMap((kind) => [
    "--add-scram",
    `${kind}=[name=app,password=${PASSWORD}]`,
  ]);
  const format = ["kafka.tools.StorageTool", "format", "-t", "AAAAAAAAAAAAAAAAAAAAAA", "-c", properties, ...users];
  await must(java("java"), ["-cp", jars.join(":"), ...format]);
  const logFile = join(folder, "broker.log");
  const broker = await startJava(
    {
      title: "Kafka",
      mainClass: "kafka.Kafka",
      classPath: jars,
      heapMb: 384,
      args: [properties],
      cwd: folder,
      ports: [ports.port, ports.controllerPort, open, tls, anonymousTls],
      stopPatienceMs: 20_000,
      ready: () => kafkaAnswers(ports.port),
    },
    { javaHome: installation.javaHome, logFile, instance: "secured-broker-test", environment: env },
  );
  t.teardown(() => broker.stop());
  return {
    ...{ config, password: PASSWORD, open, tls, anonymousTls },
    ca: await readFile(certificate, "utf8"),
    log: () => readFile(logFile, "utf8"),
  };
}
