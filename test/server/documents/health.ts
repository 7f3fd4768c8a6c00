import type { DifferentialSyncClient } from 'syncline/differential'

declare const client: DifferentialSyncClient

const health = client.getHealthStatus();
if (health.status !== 'healthy') {
  console.warn('Connection issues:', health.recommendations);
}
