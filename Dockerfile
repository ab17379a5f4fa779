# syntax=docker/dockerfile:1
FROM node:22-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
# Scripts of packages are not needed: they would fetch files for NVIDIA's GPUs.
RUN npm ci --ignore-scripts
COPY tsconfig.json ./
COPY src src
RUN npm run build
RUN npm prune --omit=dev --ignore-scripts
# ONNX Runtime carries libraries of five systems.
RUN find node_modules/onnxruntime-node/bin -mindepth 2 -maxdepth 2 ! -name linux -exec rm -rf {} +

FROM node:22-bookworm-slim
WORKDIR /app
COPY --from=build /app/package.json package.json
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY assets assets
COPY LICENSE NOTICE ./
ENV NODE_ENV=production LCM_PORTRAIT_HOME=/data LCM_PORTRAIT_CACHE=/data/cache
# One heap for all threads, and large pieces given back when they are free: a render takes a tenth less memory.
ENV MALLOC_ARENA_MAX=1 MALLOC_MMAP_THRESHOLD_=131072
RUN mkdir /data && chown node:node /data
USER node
VOLUME /data
EXPOSE 7860
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s CMD ["node", "-e", "fetch('http://127.0.0.1:7860/healthz').then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "/app/dist/cli/main.js"]
CMD ["serve", "--host", "0.0.0.0", "--port", "7860", "--data", "/data/serve"]
