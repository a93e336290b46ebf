import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

const DURATION_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];

/** The Prometheus registry of one process: the figures every service has, and room for its own. */
export interface Metrics {
  readonly registry: Registry;
  /** A figure that is read when Prometheus asks, such as a pool's or a queue's size. Asked for again, the later `read` counts. */
  gauge(name: string, help: string, read: () => number): void;
  counter(name: string, help: string, labels?: string[]): Counter;
  requestStarted(): void;
  requestEnded(op: string, status: number, seconds: number, bytesIn: number, bytesOut: number): void;
  text(): Promise<string>;
  readonly contentType: string;
}

export function createMetrics(o: { service: string; instance: string; processFigures?: boolean }): Metrics {
  const registry = new Registry();
  registry.setDefaultLabels({ service: o.service, instance: o.instance });
  if (o.processFigures !== false) collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 20 });
  const registers = [registry];
  const duration = new Histogram({
    name: 'http_request_duration_seconds',
    help: 'Time from a request’s head to the end of its answer',
    labelNames: ['op', 'status'],
    buckets: DURATION_BUCKETS,
    registers,
  });
  const bytes = new Counter({
    name: 'http_bytes_total',
    help: 'Bytes of bodies taken and given',
    labelNames: ['op', 'direction'],
    registers,
  });
  let inFlight = 0;
  const readers = new Map<string, () => number>();
  const gauge = (name: string, help: string, read: () => number): void => {
    const known = readers.has(name);
    readers.set(name, read);
    if (known) return;
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(readers.get(name)?.() ?? 0);
      },
    });
  };
  gauge('http_requests_in_flight', 'Requests whose answer has not ended', () => inFlight);

  // prom-client hashes the labels at each observation; the few series there are, are kept at hand instead.
  const durations = new Map<string, Map<number, ReturnType<typeof duration.labels>>>();
  const byteCounters = new Map<string, { in: ReturnType<typeof bytes.labels>; out: ReturnType<typeof bytes.labels> }>();

  return {
    registry,
    gauge,
    counter: (name, help, labels = []) => new Counter({ name, help, labelNames: labels, registers }),
    requestStarted: () => {
      inFlight++;
    },
    requestEnded: (op, status, seconds, bytesIn, bytesOut) => {
      inFlight--;
      let ofOp = durations.get(op);
      if (!ofOp) {
        ofOp = new Map();
        durations.set(op, ofOp);
      }
      let series = ofOp.get(status);
      if (!series) {
        series = duration.labels(op, String(status));
        ofOp.set(status, series);
      }
      series.observe(seconds);
      if (bytesIn === 0 && bytesOut === 0) return;
      let counters = byteCounters.get(op);
      if (!counters) {
        counters = { in: bytes.labels(op, 'in'), out: bytes.labels(op, 'out') };
        byteCounters.set(op, counters);
      }
      if (bytesIn > 0) counters.in.inc(bytesIn);
      if (bytesOut > 0) counters.out.inc(bytesOut);
    },
    text: () => registry.metrics(),
    contentType: registry.contentType,
  };
}
