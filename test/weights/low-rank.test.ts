import { test } from 'node:test';
import { RandomStream } from '../../src/tensor/random.ts';
import { addLowRankProducts } from '../../src/weights/low-rank.ts';
import { assertAllClose } from '../helpers/assert-close.ts';
import { fc } from '../helpers/fast-check.ts';

const draw = (seed: number, length: number): Float32Array =>
  new RandomStream([seed]).fillNormal(new Float32Array(length));

test('blocks of any size give the sums of plain loops', () => {
  const size = fc.integer({ min: 1, max: 9 });
  // Around the edges of the column blocks, too.
  const columns = fc.oneof(size, fc.constantFrom(511, 512, 513, 1030));
  fc.assert(
    fc.property(size, columns, fc.array(size, { minLength: 1, maxLength: 3 }), (rows, columns, ranks) => {
      const base = draw(1, rows * columns);
      const products = ranks.map((rank, i) => ({
        up: draw(10 + i, rows * rank),
        down: draw(20 + i, rank * columns),
        rank,
        scale: 0.5 - i,
      }));
      const expected = Float64Array.from(base);
      for (const { up, down, rank, scale } of products) {
        for (let row = 0; row < rows; row++) {
          for (let column = 0; column < columns; column++) {
            for (let r = 0; r < rank; r++) {
              expected[row * columns + column]! += scale * up[row * rank + r]! * down[r * columns + column]!;
            }
          }
        }
      }
      assertAllClose(addLowRankProducts(base, rows, products), expected, { rtol: 1e-7, atol: 1e-7 });
    }),
  );
});
