import type { DifferentialSyncClient } from 'syncline/differential'

declare const client: DifferentialSyncClient

client.on('sync:performance', console.log);
client.on('error', console.error);
client.on('state:change', console.debug);
