//! Orders that agree but for one thing: each check of `matchOrders` fails alone.
use alloy::primitives::{Address, B256, U256};

use super::Gen;
use super::matching::TEE;
use crate::mocks;
use crate::orders::Orders;

/// What follows `iExecV5-matchOrders-0x` in the message of each check.
pub(crate) const CODES: [u8; 27] = [
    0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17,
    0x18, 0x19, 0x1a, 0x1b, 0x20, 0x21, 0x30, 0x31, 0x40, 0x41, 0x50,
];
/// The volume: checked last, where something was consumed or closed.
const VOLUME: u8 = 0x60;

impl Gen<'_> {
    /// Signed orders of which one thing is wrong.
    pub(super) fn spoilt(&mut self) -> Orders {
        let mut codes = CODES.to_vec();
        codes.push(VOLUME);
        let code = self.dice.pick(&codes);
        let dataset = matches!(code, 0x11 | 0x30 | 0x31) || self.dice.chance(50);
        let mut orders = self.fresh(dataset);
        match code {
            0x00..0x10 => self.spoil_terms(code, &mut orders),
            0x10..0x20 => self.spoil_parties(code, &mut orders),
            _ => self.spoil_assets(code, &mut orders),
        }
        self.sign_all(&mut orders);
        self.spoil_signature(code, &mut orders);
        orders
    }

    fn spoil_terms(&mut self, code: u8, orders: &mut Orders) {
        let Orders {
            app,
            dataset,
            workerpool,
            request,
        } = orders;
        let one = U256::from(1);
        match code {
            0x00 => request.category = (request.category + one) % U256::from(5),
            0x01 => {
                let count = U256::from(self.known.categories.len());
                request.category = if self.dice.chance(50) {
                    count
                } else {
                    self.dice.huge()
                };
                workerpool.category = request.category;
            }
            0x02 => request.trust = workerpool.trust + one,
            0x03 => {
                app.appprice = request.appmaxprice + one;
            }
            0x04 => dataset.datasetprice = request.datasetmaxprice + one,
            0x05 => workerpool.workerpoolprice = request.workerpoolmaxprice + one,
            0x06 => {
                let bit = B256::from(one << (8 + self.dice.index(248)));
                let tag = self.dice.pick(&[0, 1, 2]);
                *[&mut app.tag, &mut dataset.tag, &mut request.tag][tag] |= bit;
                workerpool.tag &= !bit;
            }
            _ => {
                request.tag |= B256::from(TEE);
                workerpool.tag |= B256::from(TEE);
                app.tag &= !B256::from(TEE);
            }
        }
    }

    fn spoil_parties(&mut self, code: u8, orders: &mut Orders) {
        let other = self.foreign_group();
        let field = match code {
            0x10 => &mut orders.request.app,
            0x11 => &mut orders.request.dataset,
            0x12 => &mut orders.request.workerpool,
            0x13 => &mut orders.app.datasetrestrict,
            0x14 => &mut orders.app.workerpoolrestrict,
            0x15 => &mut orders.app.requesterrestrict,
            0x16 => &mut orders.dataset.apprestrict,
            0x17 => &mut orders.dataset.workerpoolrestrict,
            0x18 => &mut orders.dataset.requesterrestrict,
            0x19 => &mut orders.workerpool.apprestrict,
            0x1a => &mut orders.workerpool.datasetrestrict,
            _ => &mut orders.workerpool.requesterrestrict,
        };
        *field = other;
    }

    /// Assets that no registry knows, and volumes that are used up.
    fn spoil_assets(&mut self, code: u8, orders: &mut Orders) {
        match code {
            0x20 => {
                let app = self.impostor(0);
                (orders.app.app, orders.request.app) = (app, app);
                self.lift(orders);
            }
            0x30 => {
                let dataset = self.impostor(1);
                (orders.dataset.dataset, orders.request.dataset) = (dataset, dataset);
                self.lift(orders);
            }
            0x40 => {
                orders.workerpool.workerpool = self.impostor(2);
                self.lift(orders);
            }
            VOLUME => *self.dice_volume(orders) = U256::ZERO,
            _ => {}
        }
    }

    fn dice_volume<'a>(&mut self, orders: &'a mut Orders) -> &'a mut U256 {
        let index = self.dice.pick(&[0, 2, 3]);
        let [app, _, pool, request] = orders.volumes();
        match index {
            0 => app,
            2 => pool,
            _ => request,
        }
    }

    /// Restrictions would get in the way of an asset that changes.
    fn lift(&mut self, orders: &mut Orders) {
        let fields = [
            &mut orders.app.datasetrestrict,
            &mut orders.app.workerpoolrestrict,
            &mut orders.dataset.apprestrict,
            &mut orders.dataset.workerpoolrestrict,
            &mut orders.workerpool.apprestrict,
            &mut orders.workerpool.datasetrestrict,
            &mut orders.request.workerpool,
        ];
        for field in fields {
            *field = Address::ZERO;
        }
    }

    /// Not an asset of this kind: of another kind, of nobody's registry, or no contract at all.
    fn impostor(&mut self, kind: usize) -> Address {
        match self.dice.below(5) {
            0 => self.anyone(),
            1 => mocks::ORPHAN,
            2 => self
                .dice
                .find(&self.known.entries[(kind + 1) % 3])
                .unwrap_or_default(),
            _ => mocks::IMPOSTOR,
        }
    }

    fn spoil_signature(&mut self, code: u8, orders: &mut Orders) {
        let owner = |entry| self.known.owner_of(entry);
        match code {
            0x21 => {
                let owner = owner(orders.app.app);
                self.forge(owner, &mut orders.app);
            }
            0x31 => {
                let owner = owner(orders.dataset.dataset);
                self.forge(owner, &mut orders.dataset);
            }
            0x41 => {
                let owner = owner(orders.workerpool.workerpool);
                self.forge(owner, &mut orders.workerpool);
            }
            0x50 => {
                self.spoil_requester(orders);
                self.forge(orders.request.requester, &mut orders.request);
            }
            _ => {}
        }
    }

    /// Contracts that do not accept a signature, in all their ways; or nobody.
    fn spoil_requester(&mut self, orders: &mut Orders) {
        let refusing = [
            mocks::ZERO,
            mocks::ONE,
            mocks::REVERTS,
            mocks::REVERTS_WITH_DATA,
            mocks::SILENT,
            mocks::SHORT,
            self.cast.delegating,
            Address::ZERO,
        ];
        if self.dice.chance(50) {
            let requester = self.dice.pick(&refusing);
            orders.request.requester = requester;
            orders.app.requesterrestrict = Address::ZERO;
            orders.dataset.requesterrestrict = Address::ZERO;
            orders.workerpool.requesterrestrict = Address::ZERO;
            self.sign_all(orders);
        }
    }
}
