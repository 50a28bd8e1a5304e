// Reads a published asset from its chain and orders it, with Ocean's own libraries alone.
//
// Takes one JSON object from standard input and writes one to standard output:
// in:  rpcUrl, chainId, nft, datatoken, pricing, serviceIndex, buyerKey, exchange, dispenser, ocean
// out: the DDO, what ddo-js says of it, who owns it, what the buyer paid, the order's transaction
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { Datatoken, Dispenser, FixedRateExchange, Nft, approve, balance } from '@oceanprotocol/lib'
import { DDOManager } from '@oceanprotocol/ddo-js'
import { Contract, JsonRpcProvider, Wallet, ZeroAddress, toUtf8String } from 'ethers'

const asked = JSON.parse(readFileSync(0, 'utf8'))
const provider = new JsonRpcProvider(asked.rpcUrl, asked.chainId, {
  cacheTimeout: -1,
  pollingInterval: 50,
  staticNetwork: true
})
const buyer = new Wallet(asked.buyerKey, provider)

// Nobody: an order without a fee of its provider.
const NO_FEE = {
  providerFeeAddress: ZeroAddress,
  providerFeeToken: ZeroAddress,
  providerFeeAmount: '0',
  v: '0',
  r: '0x' + '0'.repeat(64),
  s: '0x' + '0'.repeat(64),
  providerData: '0x',
  validUntil: '0'
}

async function resolve(nft) {
  const contract = new Contract(asked.nft, nft.abi, provider)
  const [event] = await contract.queryFilter('MetadataCreated', 0)
  const text = toUtf8String(event.args.data)
  const hash = '0x' + createHash('sha256').update(text).digest('hex')
  return { ddo: JSON.parse(text), flags: event.args.flags, hashFits: hash === event.args.metaDataHash }
}

async function getDatatoken() {
  if (asked.pricing === 'FixedRate') {
    await done(approve(buyer, { chainId: asked.chainId }, buyer.address, asked.ocean, asked.exchange, '10', true))
    const exchange = new FixedRateExchange(asked.exchange, buyer, asked.chainId)
    const offer = await exchange.generateExchangeId(asked.ocean, asked.datatoken)
    await done(exchange.buyDatatokens(offer, '1', '10'))
  } else if (asked.pricing === 'Free') {
    const dispenser = new Dispenser(asked.dispenser, buyer, asked.chainId)
    await done(dispenser.dispense(asked.datatoken, '1', buyer.address))
  }
}

async function order(datatoken) {
  if (asked.marketFee !== '0') {
    const config = { chainId: asked.chainId }
    await done(approve(buyer, config, buyer.address, asked.ocean, asked.datatoken, asked.marketFee, true))
  }
  const sent = await datatoken.startOrder(asked.datatoken, buyer.address, asked.serviceIndex, NO_FEE)
  return (await sent.wait()).hash
}

async function done(sending) {
  const sent = await sending
  if (sent && sent.wait) await sent.wait()
}

const nft = new Nft(buyer, asked.chainId)
const found = await resolve(nft)
const manager = DDOManager.getDDOClass(found.ddo)
const [isValid, errors] = await manager.validate()
const oceanBefore = await balance(buyer, asked.ocean, buyer.address)
await getDatatoken()
const orderTx = await order(new Datatoken(buyer, asked.chainId))
process.stdout.write(
  JSON.stringify({
    did: manager.makeDid(asked.nft, String(asked.chainId)),
    didOfDdo: manager.getDid(),
    services: manager.getDDOFields().services,
    flags: found.flags,
    hashFits: found.hashFits,
    isValid,
    errors,
    owner: await nft.getNftOwner(asked.nft),
    oceanBefore,
    oceanAfter: await balance(buyer, asked.ocean, buyer.address),
    orderTx
  })
)
provider.destroy()
