// Kube-router's controller of NetworkPolicies alone, for one node: what its program does with --run-firewall, less its BGP, its service
// proxy and what they need. It ends with its rules taken away, so that a lab without it is as one that never had it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/cloudnativelabs/kube-router/v2/pkg/controllers/netpol"
	"github.com/cloudnativelabs/kube-router/v2/pkg/healthcheck"
	"github.com/cloudnativelabs/kube-router/v2/pkg/options"
)

// Set by the linker.
var version = "unknown"

const cacheSyncTimeout = time.Minute

func main() {
	kubeconfig := flag.String("kubeconfig", "", "file with the address of the API server and a certificate")
	node := flag.String("hostname-override", "", "name of the node whose pods are protected")
	services := flag.String("service-cluster-ip-range", "", "addresses of services")
	listen := flag.String("healthz-listen-address", "", "address:port of GET /healthz: 200 once the rules were made")
	printVersion := flag.Bool("version", false, "print the version and end")
	flag.Parse()
	if *printVersion {
		fmt.Println("policy-engine", version)
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *kubeconfig, *node, *services, *listen); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, kubeconfig, node, services, listen string) error {
	restConfig, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(restConfig)
	if err != nil {
		return err
	}
	config := options.NewKubeRouterConfig()
	config.HostnameOverride = node
	config.ClusterIPCIDRs = []string{services}
	config.EnableIPv4 = true

	factory := informers.NewSharedInformerFactory(client, 0)
	pods := factory.Core().V1().Pods().Informer()
	namespaces := factory.Core().V1().Namespaces().Informer()
	policies := factory.Networking().V1().NetworkPolicies().Informer()
	factory.Start(ctx.Done())
	syncing, cancel := context.WithTimeout(ctx, cacheSyncTimeout)
	defer cancel()
	if !cache.WaitForCacheSync(syncing.Done(), pods.HasSynced, namespaces.HasSynced, policies.HasSynced) {
		return errors.New("the API server did not list pods, namespaces and policies within a minute")
	}

	iptables, ipsets, err := netpol.NewIPTablesHandlers(config)
	if err != nil {
		return err
	}
	controller, err := netpol.NewNetworkPolicyController(client, config, pods, policies, namespaces, &sync.Mutex{}, iptables, ipsets)
	if err != nil {
		return err
	}
	for informer, handler := range map[cache.SharedIndexInformer]cache.ResourceEventHandler{
		pods: controller.PodEventHandler, namespaces: controller.NamespaceEventHandler, policies: controller.NetworkPolicyEventHandler,
	} {
		if _, err := informer.AddEventHandler(handler); err != nil {
			return err
		}
	}

	beats := make(chan *healthcheck.ControllerHeartbeat, 1)
	var group sync.WaitGroup
	group.Add(1)
	go controller.Run(beats, ctx.Done(), &group)
	// A heartbeat is sent as a look at all rules begins; the second says that the first is over.
	var looks int
	var lock sync.Mutex
	go func() {
		for range beats {
			lock.Lock()
			looks++
			lock.Unlock()
		}
	}()
	server := &http.Server{Addr: listen, ReadHeaderTimeout: 5 * time.Second}
	server.Handler = http.HandlerFunc(func(answer http.ResponseWriter, _ *http.Request) {
		lock.Lock()
		defer lock.Unlock()
		if looks < 2 {
			controller.RequestFullSync()
			answer.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	go func() {
		<-ctx.Done()
		_ = server.Close()
	}()
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	group.Wait()
	controller.Cleanup()
	return nil
}
