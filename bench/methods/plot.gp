# Identity against prompt fidelity and Wasserstein distance, a point a way, with 95 % intervals over things.
#   gnuplot -e "points='points.tsv'; out='methods.png'" bench/methods/plot.gp
set terminal pngcairo size 1280,560 font "sans,10"
set output out
set datafile separator "\t"
set datafile missing "NaN"
set multiplot layout 1,2
set grid
set key off
set offsets graph .12, graph .12, graph .08, graph .08
set xlabel "identity (to real renders of the thing; right is better)"
set ylabel "prompt fidelity (up is better)"
plot points using 2:5:3:4:6:7 every ::1 with xyerrorbars pt 7 ps .8, \
     points using 2:5:1 every ::1 with labels left offset .8,.5
set ylabel "W_2 from the class word's pictures (down is better)"
plot points using 2:8:3:4:9:10 every ::1 with xyerrorbars pt 7 ps .8, \
     points using 2:8:1 every ::1 with labels left offset .8,.5
unset multiplot
