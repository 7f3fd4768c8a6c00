import Database from 'better-sqlite3'
import { rmSync } from 'node:fs'
import { sqliteStore } from 'syncline/sqlite'
import { nodeEnv, defineEntity } from 'syncline'
import { insertRows, schema, makeRow, valuesOf, columns } from './rows.mjs'
for (const f of ['','-wal','-shm']) rmSync('/tmp/mb/a.db'+f,{force:true})
const db=new Database('/tmp/mb/a.db'); db.pragma('journal_mode=WAL'); db.pragma('synchronous=FULL'); db.exec(schema); db.exec('CREATE INDEX items_updated ON items(updated_at)'); insertRows(db,10000)
const store=sqliteStore(db,{env:nodeEnv()}); await store.open([defineEntity({name:'items'})])
const { decide } = await import('syncline/protocol')
const dec=(entity,standing,attempt,horizon)=>decide(standing,attempt,{grain:'entity',strategy:'last-write-wins',resolver:false},{nowMs:Date.now(),maxDriftMs:60000,node:'server',horizon})
const N=Number(process.argv[2]??40000), G=Number(process.argv[3]??1000)
const head=await store.head()
const muts=[];for(let i=0;i<N;i++){const [id,...v]=valuesOf(makeRow((i*7919)%10000+1,i+1));const values=Object.fromEntries(v.map((x,k)=>[columns[k+1],x]));const stamp=`${Date.now()}${String(i%1000).padStart(3,'0')}.bench`
 muts.push({mutation:{n:i+1,base:{epoch:head.epoch,seq:0},stamp,writes:[{entity:'items',id:String(id),action:'update',data:values}]},attempts:[{entity:'items',id:String(id),values,attempt:{action:'update',columns:Object.keys(values),upsert:false,base:0,stamp,client:'w'}}]})}
const t=performance.now(); let bad=0
for(let i=0;i<N;i+=G){const r=await store.accept({user:'anon',client:'w',lead:1},muts.slice(i,i+G),dec,Math.max(0,i-4000)); for(const x of r) if(x.result?.status!=='applied') bad++}
const ms=performance.now()-t
console.log(`accept ${(ms*1000/N).toFixed(1)} us per mutation, bad ${bad}`)
// floor
const st=db.prepare('INSERT INTO items VALUES (?,?,?,?,?,?) ON CONFLICT(id) DO UPDATE SET title=excluded.title, body=excluded.body, done=excluded.done, owner=excluded.owner, updated_at=excluded.updated_at')
for (const f of ['','-wal','-shm']) rmSync('/tmp/mb/b.db'+f,{force:true})
const db2=new Database('/tmp/mb/b.db'); db2.pragma('journal_mode=WAL'); db2.pragma('synchronous=FULL'); db2.exec(schema); db2.exec('CREATE INDEX items_updated ON items(updated_at)'); insertRows(db2,10000)
const st2=db2.prepare('INSERT INTO items VALUES (?,?,?,?,?,?) ON CONFLICT(id) DO UPDATE SET title=excluded.title, body=excluded.body, done=excluded.done, owner=excluded.owner, updated_at=excluded.updated_at')
const rows=Array.from({length:N},(_,i)=>valuesOf(makeRow((i*7919)%10000+1,i+1)))
const t2=performance.now(); for(let i=0;i<N;i+=G){db2.exec('BEGIN IMMEDIATE');for(let k=i;k<i+G;k++)st2.run(...rows[k]);db2.exec('COMMIT')}
console.log(`floor sql ${((performance.now()-t2)*1000/N).toFixed(1)} us`)
process.exit()
